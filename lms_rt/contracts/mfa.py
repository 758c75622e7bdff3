"""The second step of signing in, at the border: what is asked for, what is typed, what is shown once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from lms_rt.contracts.accounts import KnownPassword
from lms_rt.contracts.base import Draft, View
from lms_rt.errors import Code, Refused

MfaMethod = Literal["email", "totp"]
CodeKind = Literal["email", "totp", "recovery_code"]
TypedCode = Annotated[str, StringConstraints(min_length=1, max_length=100)]
"""A code as somebody types it: with digits of any script, with spaces and hyphens or without."""
ChallengeToken = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class MfaRequest(Draft):
    """Who knows the password asks for a second step: codes by mail, or of an app."""

    password: KnownPassword
    method: MfaMethod


class MfaConfirmation(Draft):
    """The first good code."""

    code: TypedCode


class MfaEnd(Draft):
    """Switching it off. Whose codes come by mail leaves the code out first, and is sent one."""

    password: KnownPassword
    code: TypedCode | None = None


class MfaAnswer(Draft):
    """The second step of a sign-in: the token of the first, and a code of any kind that the account has."""

    challenge_token: ChallengeToken
    code: TypedCode


class MfaRepeat(Draft):
    """Asking for another mail with a code."""

    challenge_token: ChallengeToken


class MfaRequiredView(View):
    """The password was right; within `expires_in` seconds a code of one of these kinds has to follow."""

    mfa_required: Literal[True] = True
    challenge_token: str
    methods: list[CodeKind]
    expires_in: int


class TotpSetupView(View):
    """What an app needs. It is shown now and never again; nothing holds until a code of it was given back."""

    method: Literal["totp"] = "totp"
    secret: str
    otpauth_uri: str
    qr_svg: str


class MailedCodeView(View):
    """A code is on its way by mail, and holds for so many seconds."""

    method: Literal["email"] = "email"
    expires_in: int


class RecoveryCodesView(View):
    """Each of them stands once for a code. They are shown now and never again."""

    recovery_codes: list[str]


def required_of(refused: Refused) -> MfaRequiredView:
    """What a sign-in says that a second step follows; any other refusal goes on."""
    if refused.code is not Code.MFA_REQUIRED:
        raise refused
    return MfaRequiredView(**refused.data)
