"""What becomes of a person's invoices when the person is erased: number and sums stay for the books, and name nobody."""

from __future__ import annotations

from documents import erasing
from documents.invoice import Invoice
from lms_rt.services.contended import until_written
from lms_rt.services.erasure_steps import Ground
from lms_rt.services.withholding import WITHHELD


async def invoices(ground: Ground) -> None:
    """Take the name out; the file goes with their other files, and is printed without it for whoever asks."""
    async for page in erasing.walk(Invoice, {"user_id": ground.leaving.user_id}, ("_id",)):
        for row in page:
            await until_written(lambda key=row["_id"]: _blank(key, ground))  # type: ignore[misc]


async def _blank(invoice_id: str, ground: Ground) -> bool | None:
    row = await Invoice.find_row(invoice_id)
    if row is None or (row["printed"]["buyer_name"] == WITHHELD and row.get("file_id") is None):
        return True
    printed = {**row["printed"], "buyer_name": WITHHELD}
    return await Invoice.withhold(invoice_id, row["version"], printed, at=ground.clock.now()) or None
