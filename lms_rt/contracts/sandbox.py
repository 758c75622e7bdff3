"""What the page of the sandbox shows, and what can be done there."""

from __future__ import annotations

from enum import StrEnum

from lms_rt.contracts.base import View


class SandboxAct(StrEnum):
    """What somebody does at the page of the sandbox."""

    PAY = "pay"
    DECLINE = "decline"
    LATER = "later"
    CANCEL = "cancel"


class SandboxCheckoutView(View):
    """A checkout of the sandbox. `interval` is that of a subscription; `is_awaited`: its money is on the way."""

    id: str
    title: str
    amount: int
    currency: str
    state: str
    interval: str | None = None
    is_awaited: bool = False
    is_declined: bool = False
    return_url: str
    cancel_url: str
