"""What is sent with the links of mails, and to be sent them: a forgotten password, an address to be proved, an invitation."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from lms_rt.contracts.accounts import NewPassword
from lms_rt.contracts.base import Draft, View

Typed = Annotated[str, StringConstraints(max_length=512)]
"""An address as somebody typed it: what is none is answered like one that nobody has."""
LinkToken = Annotated[str, StringConstraints(max_length=512), Field(json_schema_extra={"format": "password"})]
"""The token of a link: whatever it is, the answer is only yes or no."""


class ForgottenDraft(Draft):
    """Whose password was forgotten."""

    email: Typed


class ResetDraft(Draft):
    """A new password, by the token of a mail."""

    token: LinkToken
    new_password: NewPassword


class VerificationRequest(Draft):
    """Whose address is to be proved; of somebody signed in their own, where none is given."""

    email: Typed | None = None


class VerificationDraft(Draft):
    """An address proved by the token of a mail."""

    token: LinkToken


class AcceptedView(View):
    """It was heard. Nothing is said of what becomes of it: whoever owns the mailbox learns that."""

    is_accepted: bool = True
