"""What becomes of a person's certificates when the person is erased: each can still be checked, and names nobody."""

from __future__ import annotations

from documents import erasing
from documents.base import Row
from documents.certificate import Certificate
from lms_rt.services.contended import until_written
from lms_rt.services.erasure_steps import Ground
from lms_rt.services.withholding import WITHHELD

_GONE = (
    "statement", "signature", "credential", "key_id", "sha256", "size_bytes", "file_id", "revoked_reason",
    "replaced_reason", "corrected_name",
)  # fmt: skip
"""All that holds the name, or what was written about the person. The file itself goes with their other files."""


async def certificates(ground: Ground) -> None:
    """Take the name out. Whoever is just making the file of one reads it again, and leaves none."""
    async for page in erasing.walk(Certificate, {"student_id": ground.leaving.user_id}, ("_id",)):
        for row in page:
            await until_written(lambda key=row["_id"]: _blank(key, ground))  # type: ignore[misc]


async def _blank(certificate_id: str, ground: Ground) -> bool | None:
    row = await Certificate.find_row(certificate_id)
    if row is None or (row["student_name"] == WITHHELD and not any(name in row for name in _GONE)):
        return True
    fields: Row = {"student_name": WITHHELD, **dict.fromkeys(_GONE)}
    return await Certificate.change_at(certificate_id, row["version"], fields, at=ground.clock.now()) or None
