"""What is forgotten of refunds and findings when the person who paid is erased: the words, never the money."""

from __future__ import annotations

from documents import erasing
from documents.payment_finding import PaymentFinding
from documents.refund import Refund
from lms_rt.services.erasure_steps import Ground
from lms_rt.services.withholding import WITHHELD


async def refunds(ground: Ground) -> None:
    """Why it was paid back, or was not, may tell of them. The sum stays: books are kept."""
    theirs = {"user_id": ground.leaving.user_id}
    await erasing.blank_all(Refund, theirs, {"reason": ""}, ())
    await erasing.blank_all(Refund, theirs | {"held_back": {"$exists": True}}, {"held_back": WITHHELD}, ())


async def findings(ground: Ground) -> None:
    """What somebody noted about them."""
    await erasing.blank_all(PaymentFinding, {"refs.user_id": ground.leaving.user_id}, {"note": ""}, ())
