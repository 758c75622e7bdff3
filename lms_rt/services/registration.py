"""Registering: signed in at once, or only once the address is proved, or without a word about who has an account already."""

from __future__ import annotations

from dataclasses import replace

from config.settings import Settings
from documents.user import User
from lms_rt.contracts.accounts import RegistrationDraft, TokensView
from lms_rt.errors import Code, Refused
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device
from lms_rt.services.accounts import Accounts, NewAccount
from lms_rt.services.mail_links import HOUR_MS, MailLinks


class Registration:
    """Makes accounts for people who come by themselves."""

    def __init__(self, *, settings: Settings, accounts: Accounts, links: MailLinks) -> None:
        self._settings, self._accounts, self._links = settings, accounts, links

    async def register(self, draft: RegistrationDraft, device: Device = UNKNOWN_DEVICE) -> TokensView | None:
        """A new account, signed in; None: it was heard, and the mailbox of the address has the rest."""
        if self._settings.registration_hides_existing:
            account = await self._accounts.prepared(draft, tells_taken=False)
            self._links.later.put("a registration", lambda: self._add_unseen(account))
            return None
        if self._settings.require_verified_email:
            if await self._accounts.add(await self._accounts.prepared(draft), is_welcomed=True) is None:
                raise Refused(Code.EMAIL_TAKEN)
            return None
        return await self._accounts.register(draft, device)

    async def _add_unseen(self, account: NewAccount) -> None:
        """After the answer, which was the same for everybody and came after the same work."""
        if await self._accounts.add(replace(account, is_unconfirmed=True), is_welcomed=True) is not None:
            return
        owner = await User.find_by_email_key(account.email_key)
        if owner is not None:
            await self._links.order("registration_existing", owner.id, once_in_ms=HOUR_MS)
