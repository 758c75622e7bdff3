"""What tests of one's own sessions and password share: the services beside those of `people.py`."""

from __future__ import annotations

from dataclasses import dataclass

from documents.session import Session
from documents.user import User
from lms_rt.contracts.accounts import SignInDraft, TokensView
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import PageQuery
from lms_rt.contracts.sessions import PasswordChangeDraft, SessionView
from lms_rt.security.sessions import Device
from lms_rt.services.own_passwords import OwnPasswords
from lms_rt.services.own_sessions import OwnSessions
from tests.services.people import PASSWORD, People
from tests.services.relaying import relay_over

NEXT_PASSWORD = "hill cloud 73"


@dataclass
class Own:
    """Somebody's own affairs on one node."""

    people: People
    sessions: OwnSessions
    passwords: OwnPasswords

    @classmethod
    def of(cls, people: People) -> Own:
        """Beside the accounts of this node."""
        relay = relay_over(people.bus.fan_out, people.clock, [User])
        passwords = OwnPasswords(
            settings=people.settings,
            clock=people.clock,
            passwords=people.passwords,
            sessions=people.sessions,
            sign_ins=people.sign_ins,
            relay=relay,
        )
        return cls(people, OwnSessions(clock=people.clock, sessions=people.sessions), passwords)

    async def actor(self, tokens: TokensView) -> Actor:
        """Who these tokens stand for."""
        return await self.people.sessions.authenticate(tokens.access_token)

    async def sign_in(self, program: str, email: str = "mona@example.org", password: str = PASSWORD) -> TokensView:
        """A sign-in with this program."""
        draft = SignInDraft(email=email, password=password)
        return await self.people.accounts.login(draft, Device(program=program, address="192.0.2.7"))

    async def listed(self, tokens: TokensView) -> list[SessionView]:
        """The sessions that the owner of these tokens sees."""
        return (await self.sessions.list(await self.actor(tokens), PageQuery())).items

    async def change_password(self, tokens: TokensView, current: str = PASSWORD, new: str = NEXT_PASSWORD) -> None:
        """Another password, asked for with these tokens."""
        draft = PasswordChangeDraft(current_password=current, new_password=new)
        await self.passwords.change(await self.actor(tokens), draft)


async def promoted(tokens: TokensView, **fields: object) -> None:
    """The account with another role or other permissions, as an administrator would give them."""
    await User.rows().update_one({"_id": tokens.user.id}, {"$set": fields})


async def stored(session_id: str) -> dict[str, object]:
    """A session as it is stored."""
    row = await Session.find_row(session_id)
    assert row is not None
    return row
