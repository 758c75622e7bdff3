"""Preferences: what a person wishes to hear of, by which way, and when not. Mails about the account itself do not ask here."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from documents.base import Row
from documents.notification_preferences import NotificationPreferences, key_of
from documents.readers import Reader, find_reader, readers_of
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import refuse_changed_read_only
from lms_rt.contracts.notifications import (
    ALL_KINDS,
    KINDS,
    ChannelsChange,
    ChannelsView,
    PreferencesChange,
    PreferencesView,
    QuietHours,
)
from lms_rt.errors import Code, Refused
from lms_rt.services.gathering import Gathering
from lms_rt.services.wishes import Wishes


class Preferences:
    """Shown to their owner, changed by them, and asked by whatever tells people something."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._asked = Gathering(self.wishes_of)

    async def show(self, actor: Actor) -> PreferencesView:
        """The actor's own; before anything was chosen everything is on."""
        reader = await find_reader(actor.user_id)
        if reader is None:
            raise Refused(Code.NOT_FOUND)
        return _view(reader, await NotificationPreferences.find_row(actor.user_id) or {})

    async def change(
        self, actor: Actor, change: PreferencesChange, *, expected_version: int | None = None
    ) -> PreferencesView:
        """Change what was sent; the rest stays."""
        present = await self.show(actor)
        if expected_version not in {None, present.version}:
            raise Refused(Code.VERSION_MISMATCH, current_version=present.version)
        refuse_changed_read_only(change, present)
        fields, unset = _paths(change)
        if fields or unset:
            now = self._clock.now()
            await NotificationPreferences.ensure(actor.user_id, now)
            edits = None if expected_version is None else expected_version - 1
            if not await NotificationPreferences.change(actor.user_id, fields, now, unset=unset, edits=edits):
                raise Refused(Code.VERSION_MISMATCH, current_version=(await self.show(actor)).version)
        return await self.show(actor)

    # --- for those who tell people something ---

    async def find_wishes(self, user_id: str) -> Wishes | None:
        """What somebody wishes; None: there is no such account."""
        return await self._asked.find(user_id)

    async def wishes_of(self, user_ids: Collection[str]) -> dict[str, Wishes]:
        """What those of them that exist wish, in two reads."""
        readers = await readers_of(user_ids)
        chosen = await NotificationPreferences.find_rows(readers)
        return {user_id: Wishes(reader, chosen.get(user_id, {})) for user_id, reader in readers.items()}

    async def mail_moment(self, user_id: str, kind: str, now: datetime) -> datetime | None:
        """When a mail of this kind may leave: now, later (quiet hours), or (None) not at all.

        `kind` is one of `KINDS`, or `all` for a digest of several: then only the channel as a whole counts.
        """
        wishes = await self.find_wishes(user_id)
        return None if wishes is None else wishes.mail_moment(kind, now)

    async def switch_off_mail(self, user_id: str, kind: str) -> None:
        """No more mails of this kind (`all`: of any that can be switched off); again changes nothing."""
        if (kind != ALL_KINDS and kind not in KINDS) or await find_reader(user_id) is None:
            return  # a link outlives its kind and its account
        now, path = self._clock.now(), "channels.email" if kind == ALL_KINDS else f"email.{key_of(kind)}"
        await NotificationPreferences.ensure(user_id, now)
        await NotificationPreferences.change(user_id, {path: False}, now)


def _paths(change: PreferencesChange) -> tuple[dict[str, Any], list[str]]:
    """What to set and what to unset, by paths into the document."""
    given = change.given()
    fields: dict[str, Any] = {f"channels.{channel}": is_on for channel, is_on in _chosen(change.channels)}
    for kind, channels in change.kinds.items():
        fields.update({f"{channel}.{key_of(kind)}": is_on for channel, is_on in _chosen(channels)})
    if "digest" in given:
        fields["digest"] = change.digest
    if "quiet_hours" not in given:
        return fields, []
    if change.quiet_hours is None:
        return fields, ["quiet_from", "quiet_to"]
    return fields | {"quiet_from": change.quiet_hours.from_, "quiet_to": change.quiet_hours.to}, []


def _chosen(channels: ChannelsChange) -> list[tuple[str, bool]]:
    return [(name, is_on) for name, is_on in (("live", channels.live), ("email", channels.email)) if is_on is not None]


def _view(reader: Reader, chosen: Row) -> PreferencesView:
    def channels(kind: str) -> ChannelsView:
        key = key_of(kind)
        return ChannelsView(**{name: chosen.get(name, {}).get(key, True) for name in ("live", "email")})

    whole = chosen.get("channels", {})
    quiet = None
    if chosen.get("quiet_from") is not None:
        quiet = QuietHours.model_validate({"from": chosen["quiet_from"], "to": chosen["quiet_to"]})
    return PreferencesView(
        channels=ChannelsView(live=whole.get("live", True), email=whole.get("email", True)),
        kinds={kind: channels(kind) for kind in KINDS},
        quiet_hours=quiet,
        digest=chosen.get("digest") or "none",
        version=chosen.get("edits", 0) + 1,
        created_at=chosen.get("created_at", reader.created_at),
        updated_at=chosen.get("updated_at", reader.created_at),
    )
