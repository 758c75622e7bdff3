"""Operations at /.well-known: how to report a fault of security (RFC 9116), and the public keys of receipts."""

from __future__ import annotations

from datetime import timedelta

from handlers.rest.access import ANONYMOUS
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation, Place
from lms_rt.clock import rfc3339
from lms_rt.contracts.receipts import ReceiptKeysView
from lms_rt.errors import Code, Refused

VALID_DAYS = 180
"""RFC 9116 wants less than a year; the answer is made anew each time, so that it never grows old."""


async def security_txt(call: Call) -> Reply:
    """Whom to tell, in which languages, and until when this holds."""
    settings = call.services.settings
    if not settings.security_contact:
        raise Refused(Code.NOT_FOUND, "No contact is named here.")
    expires = (call.services.clock.now() + timedelta(days=VALID_DAYS)).replace(minute=0, second=0, microsecond=0)
    lines = [
        f"Contact: {settings.security_contact}",
        f"Expires: {rfc3339(expires)}",
        "Preferred-Languages: en, ar",
    ]
    if settings.public_url:
        lines.append(f"Canonical: {settings.public_url.rstrip('/')}/.well-known/security.txt")
    return Reply("".join(f"{line}\n" for line in lines).encode(), content_type="text/plain; charset=utf-8")


async def receipt_keys(call: Call) -> Reply:
    """The keys that ever signed a receipt."""
    return Reply(await call.services.receipts.keys())


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/.well-known/security.txt",
        security_txt,
        ANONYMOUS,
        reply=bytes,
        gives=("text/plain",),
        codes=(Code.NOT_FOUND,),
        place=Place.ROOT,
        summary="Whom to tell of a fault of security",
        description="RFC 9116; `SECURITY_CONTACT` names the contact, and without it there is none.",
    ),
    Operation(
        "GET",
        "/.well-known/lms-receipt-keys.json",
        receipt_keys,
        ANONYMOUS,
        reply=ReceiptKeysView,
        place=Place.ROOT,
        summary="The public keys of receipts",
        description="Former ones too: a receipt outlives the key that signed it.",
    ),
)
