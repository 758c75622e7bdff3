"""The second step of signing in: asked for when the password was right, then a code opens. Switching it on is `mfa.py`'s.

Between the two steps stands a one-time right, the challenge. It ends with its time, with five tries, with a change of the
password or an end of all sessions, and where codes come by mail with the next challenge.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from documents.one_time import OneTime, Purpose
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.accounts import TokensView
from lms_rt.contracts.mfa import MailedCodeView, MfaAnswer
from lms_rt.errors import Code, Refused
from lms_rt.security.one_time import OneTimeTokens, Right
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device
from lms_rt.services.mfa_codes import MfaCodes, kinds_of
from lms_rt.services.sign_ins import Proof, SignIns

MAX_TRIES = 5
MAIL_PAUSE_MS = 60_000
"""Between two mails of one challenge."""
MAX_MAILS = 5
MAILS_WINDOW = timedelta(minutes=15)
"""So many challenges by mail may one account be given in so long: its owner's mailbox is not for filling."""


class SecondSteps:
    """Asks for codes, and takes them."""

    def __init__(self, *, clock: Clock, tokens: OneTimeTokens, codes: MfaCodes, sign_ins: SignIns) -> None:
        self._clock, self._tokens, self._codes, self._sign_ins = clock, tokens, codes, sign_ins
        sign_ins.add_step(self.require)

    async def require(self, proof: Proof) -> None:
        """Refuse (`mfa_required`, with the challenge) where the account has a second step; else nothing."""
        user = proof.user
        if user.mfa is None:
            return
        is_mailed = user.mfa["method"] == "email"
        if is_mailed:
            await self._make_room(user.id)
        # An end of all sessions that was seen in what was read came before, though in the same millisecond.
        proved_ms = max(proof.proved_ms, user.sessions_valid_after_ms + 1)
        facts: dict[str, Any] = {"proved_ms": proved_ms, "mails": 1, "sent_ms": self._clock.now_ms()}
        issued = await self._tokens.issue(Purpose.MFA_CHALLENGE, user.id, life=self._codes.life, facts=facts)
        if is_mailed:
            await self._codes.send(user.id, _occasion(issued.record_id, 1))
        raise Refused(
            Code.MFA_REQUIRED,
            challenge_token=issued.token,
            methods=kinds_of(user),
            expires_in=self._codes.life // timedelta(seconds=1),
        )

    async def enter(self, draft: MfaAnswer, device: Device = UNKNOWN_DEVICE) -> TokensView:
        """A session for who passes the second step too. Refused: challenge or code do not hold, or too many failed."""
        right, user = await self._require_challenge(draft.challenge_token)
        occasion = _occasion(right.record_id, right.facts["mails"])
        async with self._codes.trial(user, device):
            await self._tokens.add_try(right, limit=MAX_TRIES)
            await self._codes.require_code(user, draft.code, occasion=occasion)
            await self._tokens.use(right)
        return await self._sign_ins.begin(Proof(user, device, right.facts["proved_ms"]))

    async def send_again(self, challenge_token: str) -> MailedCodeView:
        """Another mail with another code; the one before is void. Refused within a minute, and where an app has the codes."""
        right, user = await self._require_challenge(challenge_token)
        if (user.mfa or {}).get("method") != "email":
            raise Refused(Code.CONFLICT, "The codes of this account come from an app.")
        now_ms, mails = self._clock.now_ms(), right.facts["mails"]
        wait_ms = right.facts["sent_ms"] + MAIL_PAUSE_MS - now_ms
        if wait_ms > 0:
            raise _too_soon(wait_ms)
        facts = {"mails": mails + 1, "sent_ms": now_ms}
        if not await OneTime.set_facts(right.record_id, facts, where={"mails": mails}):
            raise _too_soon(MAIL_PAUSE_MS)
        await self._codes.send(user.id, _occasion(right.record_id, mails + 1))
        return MailedCodeView(expires_in=max(1, (right.expires_at - self._clock.now()) // timedelta(seconds=1)))

    async def _require_challenge(self, token: str) -> tuple[Right, User]:
        right = await self._tokens.find(token, Purpose.MFA_CHALLENGE)
        user = await User.find_by_id(right.user_id)
        if user is None or not user.may_sign_in or user.mfa is None:
            raise Refused(Code.INVALID_TOKEN)
        if user.sessions_valid_after_ms >= right.facts["proved_ms"]:
            raise Refused(Code.INVALID_TOKEN)
        return right, user

    async def _make_room(self, user_id: str) -> None:
        """Of codes by mail the newest alone holds, and they do not come in heaps."""
        given = await self._tokens.count_given(user_id, Purpose.MFA_CHALLENGE, within=MAILS_WINDOW)
        if given >= MAX_MAILS:
            raise _too_soon(MAIL_PAUSE_MS)
        await self._tokens.void(user_id, Purpose.MFA_CHALLENGE)


def _occasion(record_id: str, number: int) -> str:
    return f"{record_id}.{number}"


def _too_soon(wait_ms: int) -> Refused:
    return Refused(Code.RATE_LIMITED, "A code was sent a moment ago.", retry_after_seconds=-(-wait_ms // 1000))
