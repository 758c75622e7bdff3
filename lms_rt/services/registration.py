"""Registering: signed in at once, or only once the address is proved, or without a word about who has an account already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from config.settings import Settings
from documents.enums import Role
from documents.user import User
from lms_rt.clock import Clock
from lms_rt.contracts.accounts import RegistrationDraft, TokensView
from lms_rt.errors import Code, Refused
from lms_rt.ids import new_id
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device
from lms_rt.services.accounts import Accounts, NewAccount
from lms_rt.services.mail_links import HOUR_MS, MailLinks

_KIND = "registration"


class Registration:
    """Makes accounts for people who come by themselves."""

    def __init__(self, *, settings: Settings, clock: Clock, accounts: Accounts, links: MailLinks) -> None:
        self._clock = clock
        self._settings, self._accounts, self._links = settings, accounts, links
        links.promises.add(_KIND, self._add_unseen)

    async def register(self, draft: RegistrationDraft, device: Device = UNKNOWN_DEVICE) -> TokensView | None:
        """A new account, signed in; None: it was heard, and the mailbox of the address has the rest."""
        if self._settings.registration_hides_existing:
            account = await self._accounts.prepared(draft, tells_taken=False)
            asked_ms = self._clock.now_ms()
            await self._links.promises.give(_KIND, {**asdict(account), "user_id": new_id("usr"), "asked_ms": asked_ms})
            return None
        if self._settings.require_verified_email:
            # Anybody may register with an address: a click of its owner must not let this password in.
            account = replace(await self._accounts.prepared(draft), is_unconfirmed=True)
            if await self._accounts.add(account, is_welcomed=True) is None:
                raise Refused(Code.EMAIL_TAKEN)
            return None
        return await self._accounts.register(draft, device)

    async def _add_unseen(self, facts: Mapping[str, Any]) -> None:
        """After the answer, which was the same for everybody and came after the same work. Again it meets itself."""
        fields = {name: value for name, value in facts.items() if name != "asked_ms"}
        account = NewAccount(**{**fields, "role": Role(facts["role"]), "is_unconfirmed": True})
        if await self._accounts.add(account, is_welcomed=True) is not None:
            return
        owner = await User.find_by_email_key(account.email_key)
        if owner is not None and owner.id != account.user_id:
            asked_ms = facts["asked_ms"]
            await self._links.order("registration_existing", owner.id, asked_ms=asked_ms, once_in_ms=HOUR_MS)
