"""Bodies that are streamed, for the walks over all rows: each as its operation takes it. No tests."""

from __future__ import annotations

from typing import Any

from handlers.rest.operations import Operation
from tests.clients import Visitor

PDF = b"%PDF-1.7\nA plan of the year\n"
BOUNDARY = "a-boundary"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="plan.pdf"\r\n\r\n'.encode()
    + PDF
    + f"\r\n--{BOUNDARY}--\r\n".encode()
)
BEGUN = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(PDF)), "Upload-Metadata": "filename cGxhbi5wZGY="}
PIECE = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}


def streamed_options(row: Operation) -> dict[str, Any]:
    """What is sent to an operation whose body is streamed; to any of tus, its version."""
    if row.form is not None:
        return {"content": FORM, "headers": {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}}
    if row.is_streamed and "{" in row.path:
        return {"content": PDF, "headers": {**PIECE, "X-HTTP-Method-Override": "PATCH"}}
    if row.is_streamed:
        return {"headers": BEGUN}
    return {"headers": {"Tus-Resumable": "1.0.0"}} if "Tus-Resumable" in row.always else {}


async def begun_upload(visitor: Visitor) -> str:
    """The id of an upload that this person has begun."""
    response = await visitor.call("POST", "/files/tus", headers=BEGUN)
    assert response.status_code == 201, response.text
    return response.headers["Location"].rpartition("/")[2]
