"""Sessions: begun by a sign-in, refreshed, ended; who a token or a ticket stands for; and who is told of an end.

Passwords are not known here: `accounts.py` proves who somebody is, then begins a session.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable, Sequence
from datetime import timedelta
from typing import Any

from config.settings import Settings
from documents.user import User
from lms_rt.bus.base import Bus, Interrupted, Listening, Receiver, Word
from lms_rt.clock import Clock
from lms_rt.contracts.accounts import TicketView, TokensView
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import user_channel
from lms_rt.contracts.controls import (
    ACCESS_CHANGED,
    ACCOUNT_CHANGED,
    SESSION_REVOKED,
    account_changed,
    session_revoked,
)
from lms_rt.contracts.sessions import ImpersonationView
from lms_rt.errors import Code, Refused
from lms_rt.security.csrf import CsrfTokens
from lms_rt.security.keyring import keyring_of
from lms_rt.security.permissions import permissions_of
from lms_rt.security.sessions import UNKNOWN_DEVICE, Device, Families, Family, Lives, ReusedTokenError
from lms_rt.security.signed_in import Person, SignedIn
from lms_rt.security.tokens import AccessClaims, AccessTokens, Impersonator, RefreshTokens
from lms_rt.services.announcing import Announcer
from lms_rt.services.tickets import TICKET_SECONDS, TicketOffice
from lms_rt.services.user_views import user_view
from lms_rt.storage.faults import faults_translated

PASSWORD_REPLACED = "accounts.password_replaced"  # noqa: S105 - the name of an effect
"""By another one: sessions that were begun with it end."""
_log = logging.getLogger(__name__)


class Sessions(Receiver[Word]):
    """Who is signed in."""

    def __init__(self, *, settings: Settings, clock: Clock, bus: Bus) -> None:
        keys = keyring_of(settings)
        self._clock, self._bus = clock, bus
        self._must_know = settings.access_token_blacklist_fail_closed
        self._access = AccessTokens(
            keys=keys,
            clock=clock,
            issuer=settings.project_name,
            lifetime_seconds=settings.access_token_expire_minutes * 60,
            algorithm=settings.algorithm,
        )
        self._families = Families(
            clock=clock,
            tokens=RefreshTokens(keys),
            lives=Lives(
                idle=timedelta(days=settings.refresh_token_expire_days),
                absolute=timedelta(days=settings.refresh_token_absolute_days),
                kept=timedelta(days=settings.retention_ended_sessions_days),
            ),
            max_per_user=settings.max_sessions_per_user,
        )
        self._signed_in = SignedIn(clock)
        self._tickets = TicketOffice(clock=clock, tickets=bus.tickets)
        self._announcer = Announcer(bus.fan_out)
        self._listening: Listening | None = None
        self.csrf = CsrfTokens(keys)

    # --- the life of the service ---

    async def listen(self) -> None:
        """Hear from now on what other nodes ended."""
        self._listening = await self._bus.fan_out.listen_control(self)

    async def run(self) -> None:
        """Say again what other nodes could not be told while the bus was away, until cancelled."""
        await self._announcer.run()

    async def close(self) -> None:
        """Hear nothing more."""
        if self._listening is not None:
            await self._listening.stop()

    def receive(self, message: Word) -> None:
        """Forget what was known of the person (and the session) that the word is about; of all, when words were lost."""
        if isinstance(message, Interrupted):
            self._signed_in.forget_all()
        elif message.name not in {SESSION_REVOKED, ACCESS_CHANGED, ACCOUNT_CHANGED}:
            return
        elif message.data["user_id"] is None:  # it stands for words that were too many
            self._signed_in.forget_all()
        else:
            data = message.data
            self._signed_in.forget(data["user_id"], data.get("session_id") or data.get("except_session_id"))

    # --- tokens ---

    async def begin(self, user: User, device: Device, *, proved_ms: int) -> TokensView:
        """A new session of somebody whose credentials were read at `proved_ms`; the least recently used may end."""
        family, surplus = await self._families.begin(user.id, device, proved_ms=proved_ms)
        for session_id in surplus:
            await self._announce(user.id, session_id, reason="too_many_sessions")
        return self._tokens(user, family)

    async def impersonate(self, actor: Actor, user: User, device: Device = UNKNOWN_DEVICE) -> ImpersonationView:
        """A short session in which the actor acts as this person. It has no refresh token, and ends with the actor's own.

        Whether they may, `services/impersonation.py` has decided.
        """
        impersonator = Impersonator(actor.user_id, actor.session_id)
        lifetime_seconds = self._access.lifetime_seconds
        session_id = await self._families.begin_acting(
            user.id,
            impersonator,
            device=device,
            lifetime=timedelta(seconds=lifetime_seconds),
            proved_ms=max(self._clock.now_ms(), user.sessions_valid_after_ms + 1),
        )
        return ImpersonationView(
            access_token=self._access.issue(user.id, user.role, session_id, impersonator=impersonator),
            expires_in=lifetime_seconds,
            user=user_view(user),
        )

    async def refresh(self, refresh_token: str) -> TokensView:
        """The next tokens; a token that was replaced more than a moment ago ends the whole session."""
        try:
            family = await self._families.rotate(refresh_token)
        except ReusedTokenError as reused:
            _log.warning(
                "a replaced refresh token of %s came back; session %s ended", reused.user_id, reused.session_id
            )
            await self._announce(reused.user_id, reused.session_id, reason="token_reused")
            raise
        user = await User.find_by_id(family.user_id)
        if user is None or not user.may_sign_in or family.proved_ms <= user.sessions_valid_after_ms:
            await self._end(family.user_id, family.session_id, reason="signed_out")
            raise Refused(Code.TOKEN_REVOKED)
        return self._tokens(user, family)

    async def authenticate(self, access_token: str, *, also_leaving: bool = False) -> Actor:
        """Who the token stands for, if its session is still valid. Who is leaving is let in only where that is asked for."""
        claims = self._access.verify(access_token)
        try:
            with faults_translated():
                asked = claims.user_id, claims.session_id
                person = await self._signed_in.require_person(*asked, also_leaving=also_leaving)
        except Refused as refused:
            if refused.code is not Code.UNAVAILABLE:
                raise
            person = await self._require_unrevoked(claims, refused)
        if (person.impersonator_id, person.impersonator_session_id) != claims.acting:
            raise Refused(Code.INVALID_TOKEN)
        return _actor(person, claims.session_id, claims.expires_at_ms)

    async def actor_now(self, actor: Actor) -> Actor:
        """The actor of the same session with the name, role and permissions of now; refused when it has ended."""
        with faults_translated():
            person = await self._signed_in.require_person(actor.user_id, actor.session_id)
        return _actor(person, actor.session_id, actor.expires_at_ms)

    async def find_actors_now(self, actors: Sequence[Actor]) -> list[Actor | None]:
        """The same for many, asked of the database itself; None: the session has ended."""
        with faults_translated():
            people = await self._signed_in.find_people([(actor.user_id, actor.session_id) for actor in actors])
        return [
            None if person is None else _actor(person, actor.session_id, actor.expires_at_ms)
            for actor, person in zip(actors, people, strict=True)
        ]

    # --- ends ---

    async def sign_out(self, actor: Actor, *, everywhere: bool = False) -> None:
        """End the actor's session, or all of theirs. Who acts in another's place leaves, and ends nothing of theirs."""
        if actor.is_impersonated:
            if await self._families.end(actor.session_id):
                await self._tell_nodes(actor.user_id, actor.session_id)
        elif everywhere:
            await self.end_all(actor.user_id, reason="signed_out_everywhere")
        else:
            await self._end(actor.user_id, actor.session_id, reason="signed_out")

    async def sign_out_by_refresh_token(self, refresh_token: str, *, everywhere: bool = False) -> None:
        """The same for a browser whose access token has run out. A session that is no more is signed out already."""
        session_id = self._families.session_of(refresh_token)
        user_id = await self._families.find_owner(session_id)
        if user_id is None:
            return
        if everywhere and await self._families.is_alive(session_id):
            await self.end_all(user_id, reason="signed_out_everywhere")
        else:
            await self._end(user_id, session_id, reason="signed_out")

    async def end(self, user_id: str, session_id: str, *, reason: str) -> None:
        """End one session of this person."""
        await self._end(user_id, session_id, reason=reason)

    async def end_all(self, user_id: str, *, reason: str) -> None:
        """End every session of this person, those too that are just being begun with credentials read before now.

        Those in which they act for others, or others for them, end as well.
        """
        await User.end_sessions_until(user_id, self._clock.now_ms())
        ended = await self._families.end_all(user_id)
        for session_id, _ in ended:
            await self._copy_revocation(session_id)
        await self._tell(user_id, None, reason)
        await self.end_acting(user_id)

    async def end_others(self, user_id: str, *, keep: str, reason: str) -> None:
        """End every session of this person but the one to `keep`."""
        await self._announce_each(user_id, await self._families.end_all(user_id, keep=keep), reason=reason)
        self._signed_in.forget(user_id, keep)
        await self._announcer.tell(SESSION_REVOKED, session_revoked(user_id, except_session_id=keep))

    async def end_former(self, _intent_id: str, data: dict[str, Any]) -> None:
        """What follows when a password was replaced. Who replaced it has done so at once, unless their process ended before."""
        user_id = data["user_id"]
        ended = await self._families.end_former(user_id, data["until_ms"])
        await self._announce_each(user_id, ended, reason="password_changed")

    async def keep_through_end(self, user_id: str, session_id: str, moment_ms: int) -> None:
        """Let this session hold although all that were begun up to this moment are going to end."""
        await self._families.prove_again(session_id, user_id, moment_ms + 1)

    async def end_acting(self, impersonator_id: str, session_id: str | None = None) -> None:
        """End the sessions in which this person acts for others, from one of theirs or (None) from any."""
        for user_id, acting_id in await self._families.end_acting(impersonator_id, session_id):
            await self._tell_nodes(user_id, acting_id)

    # --- a session that goes on ---

    async def find_acted_for(self, impersonator_id: str, session_id: str) -> str:
        """In whose place this person acts, or acted and has not gone back yet; the empty text: in nobody's."""
        with faults_translated():
            return await self._families.find_acted_for(impersonator_id, session_id)

    async def return_from(self, user_id: str, session_id: str) -> None:
        """End the session in which somebody acts for this person, if it has not ended; its way back has been gone."""
        with faults_translated():
            if await self._families.end(session_id):
                await self._tell_nodes(user_id, session_id)
            await self._families.note_return(session_id)

    async def is_open(self, user_id: str, session_id: str) -> bool:
        """Does this session of this person hold, and could it still be refreshed?"""
        try:
            with faults_translated():
                await self._signed_in.require_person(user_id, session_id)
                return await self._families.is_alive(session_id)
        except Refused as refused:
            if refused.code is Code.UNAVAILABLE:
                raise
            return False

    async def resume(self, user_id: str, session_id: str) -> tuple[Actor, str, int]:
        """Who goes on in this session of theirs, and a new access token for it with its seconds; refused when it has ended."""
        with faults_translated():
            person = await self._signed_in.require_person(user_id, session_id)
        token = self._access.issue(user_id, person.role, session_id)
        expires_at_ms = self._clock.now_ms() + self._access.lifetime_seconds * 1000
        return _actor(person, session_id, expires_at_ms), token, self._access.lifetime_seconds

    async def may_go_on(self, session_id: str) -> bool:
        """Has this session, whoever's it is, neither ended nor run out?"""
        return await self._families.is_alive(session_id)

    def session_of(self, refresh_token: str) -> str:
        """The id of the session that a refresh token of ours belongs to; refused when it is not ours."""
        return self._families.session_of(refresh_token)

    async def forget(self, user_id: str) -> None:
        """Have every node read again what it knows of this person."""
        self._signed_in.forget(user_id)
        await self._announcer.tell(ACCOUNT_CHANGED, account_changed(user_id))

    # --- tickets ---

    async def issue_ticket(self, actor: Actor) -> TicketView:
        """A one-time ticket that opens a socket as this actor, for as long as their access token holds."""
        facts = {
            "user_id": actor.user_id,
            "session_id": actor.session_id,
            "expires_at_ms": actor.expires_at_ms,
        }
        ticket = await self._tickets.issue(facts)
        return TicketView(ticket=ticket, expires_in=TICKET_SECONDS)

    async def consume_ticket(self, ticket: str) -> Actor:
        """Who the ticket stands for; it holds once, for half a minute, and only while its session does."""
        facts = await self._tickets.consume(ticket)
        if facts["expires_at_ms"] <= self._clock.now_ms():
            raise Refused(Code.TOKEN_EXPIRED)
        person = await self._signed_in.require_person(facts["user_id"], facts["session_id"])
        return _actor(person, facts["session_id"], facts["expires_at_ms"])

    # --- parts ---

    def _tokens(self, user: User, family: Family) -> TokensView:
        return TokensView(
            access_token=self._access.issue(user.id, user.role, family.session_id),
            refresh_token=family.refresh_token,
            expires_in=self._access.lifetime_seconds,
            user=user_view(user),
            marks_since_ms=user.password_reset_ms,
        )

    async def _require_unrevoked(self, claims: AccessClaims, unavailable: Refused) -> Person:
        """Without the database: the bus's copy decides; without that too, the setting does."""
        try:
            is_revoked = await self._is_revoked(claims)
        except Refused:
            if self._must_know:
                raise unavailable from None
            is_revoked = False
        if is_revoked:
            raise Refused(Code.TOKEN_REVOKED)
        known = self._signed_in.find_last_known(claims.user_id, claims.session_id)
        return known or Person(
            user_id=claims.user_id,
            role=claims.role,
            permissions=permissions_of(claims.role),
            full_name="",
            is_active=True,
            sessions_valid_after_ms=0,
            impersonator_id=claims.impersonator_id,
            impersonator_session_id=claims.impersonator_session_id,
        )

    async def _is_revoked(self, claims: AccessClaims) -> bool:
        session_ids = [session_id for session_id in (claims.session_id, claims.impersonator_session_id) if session_id]
        return any([await self._bus.revocations.is_revoked(session_id) for session_id in session_ids])

    async def _end(self, user_id: str, session_id: str, *, reason: str) -> None:
        if await self._families.end(session_id):
            await self._announce(user_id, session_id, reason=reason)

    async def _announce_each(self, user_id: str, ended: Iterable[tuple[str, bool]], *, reason: str) -> None:
        for session_id, is_acting in ended:
            if is_acting:
                await self._tell_nodes(user_id, session_id)
            else:
                await self._announce(user_id, session_id, reason=reason)

    async def _announce(self, user_id: str, session_id: str, *, reason: str) -> None:
        await self._copy_revocation(session_id)
        await self._tell(user_id, session_id, reason)
        await self.end_acting(user_id, session_id)

    async def _copy_revocation(self, session_id: str) -> None:
        lifetime = self._access.lifetime_seconds
        await _best_effort(self._bus.revocations.revoke(session_id, ttl_seconds=lifetime))

    async def _tell(self, user_id: str, session_id: str | None, reason: str) -> None:
        """First whoever listens as this person, then the nodes, which close the sockets."""
        self._signed_in.forget(user_id, session_id)
        await self._tell_person(user_id, session_id, reason)
        word = session_revoked(user_id, session_id=session_id)
        await self._announcer.tell(SESSION_REVOKED, word)

    async def _tell_person(self, user_id: str, session_id: str | None, reason: str) -> None:
        told = {"session_id": session_id, "reason": reason}
        await _best_effort(self._bus.fan_out.publish_direct(user_channel(user_id), SESSION_REVOKED, told))

    async def _tell_nodes(self, user_id: str, session_id: str) -> None:
        """Of a session in which somebody else acted: the person has never known of it."""
        await self._copy_revocation(session_id)
        self._signed_in.forget(user_id, session_id)
        await self._announcer.tell(SESSION_REVOKED, session_revoked(user_id, session_id=session_id))


def _actor(person: Person, session_id: str, expires_at_ms: int) -> Actor:
    return Actor(
        user_id=person.user_id,
        role=person.role,
        permissions=person.permissions,
        session_id=session_id,
        full_name=person.full_name,
        expires_at_ms=expires_at_ms,
        is_leaving=not person.is_active,
        impersonator_id=person.impersonator_id,
        impersonator_name=person.impersonator_name,
    )


async def _best_effort(told: Awaitable[Any]) -> None:
    """The fact is in the database; while the bus is away the nodes find it there within seconds."""
    try:
        await told
    except Refused as refused:
        _log.warning("the bus could not be told of an ended session: %s", refused)
