"""Settings that change while the school runs: kept in one document, told to all nodes, and looked up now and then.

Whoever holds the settings of this process reads the new values at once (`config/settings_runtime.py`). A word to the nodes
makes it quick; that a node looks by itself as well makes it certain.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Literal

from config.settings import Settings
from config.settings_runtime import CHANGEABLE, adopt, defaults, description_of
from documents.base import Row
from documents.enums import Role
from documents.runtime_setting import THE_ONE, RuntimeSetting
from lms_rt.bus.base import Bus, Interrupted, Listening, Receiver, Word
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.admin import AdminSettingsView, SettingsChange, SettingView, bounds_of
from lms_rt.contracts.base import Change, read_model, refuse_changed_read_only
from lms_rt.contracts.controls import SETTINGS_CHANGED
from lms_rt.contracts.outbox import Write, audit, effect
from lms_rt.errors import Refused
from lms_rt.realtime.projections import wait_until
from lms_rt.security.access.operating import require_operator
from lms_rt.security.access.users import refuse_beyond
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.relay import Relay

LOOK_SECONDS = 30.0
TOLD = "settings.told"
"""The name of the effect: the nodes are told."""
_OPEN_TO_INSTRUCTORS = "allow_public_role_registration"
_NOTHING: Row = {"values": {}, "version": 1, "updated_at": None}

_log = logging.getLogger(__name__)


class RuntimeSettings(Receiver[Word]):
    """What administrators have changed of the settings."""

    def __init__(self, *, settings: Settings, clock: Clock, bus: Bus, relay: Relay) -> None:
        self._settings, self._clock, self._bus, self._relay = settings, clock, bus, relay
        self._configured = {name: getattr(settings, name) for name in CHANGEABLE}
        self._version = 1
        self._is_due = asyncio.Event()
        self._listening: Listening | None = None
        relay.register_effect(TOLD, self._tell)

    # --- the life of the service ---

    async def open(self) -> None:
        """Adopt what was changed before, and hear from now on what is changed elsewhere."""
        self._listening = await self._bus.fan_out.listen_control(self)
        try:
            await self.look()
        except Exception:  # noqa: BLE001 - the database is away at the start: `run` looks again
            _log.warning("the changed settings could not be read yet", exc_info=True)
            self._is_due.set()

    async def close(self) -> None:
        """Hear nothing more."""
        if self._listening is not None:
            await self._listening.stop()

    async def run(self) -> None:
        """Look when a word came, and every so often without one, until cancelled."""
        while True:
            await wait_until(self._clock, self._clock.now_ms() + round(LOOK_SECONDS * 1000), self._is_due)
            self._is_due.clear()
            await self.look()

    def receive(self, message: Word) -> None:
        """Look again when the settings were changed somewhere, or words were lost."""
        if isinstance(message, Interrupted) or message.name == SETTINGS_CHANGED:
            self._is_due.set()

    async def look(self) -> None:
        """Adopt what is kept now."""
        self._adopt(await RuntimeSetting.find_changed() or _NOTHING)

    # --- administrators ---

    async def show(self, actor: Actor) -> AdminSettingsView:
        """All settings as they hold now, secrets masked."""
        require_operator(actor)
        kept = await RuntimeSetting.find_changed() or _NOTHING
        self._adopt(kept)
        return self._view(kept)

    async def change(self, actor: Actor, change: Change, *, expected_version: int | None = None) -> AdminSettingsView:
        """Let other values hold from now on; null takes a change back."""
        require_operator(actor)
        given = change.given()

        async def step() -> Row | None:
            kept = await RuntimeSetting.find_changed() or _NOTHING
            refuse_other_version(kept["version"], expected_version)
            self._adopt(kept)
            refuse_changed_read_only(change, self._view(kept))
            values = self._after(kept["values"], given)
            self._refuse_beyond(actor, kept["values"], values)
            return kept if values == kept["values"] else await self._write(actor, kept, values)

        kept = await until_written(step)
        self._adopt(kept)
        await self._relay.hand_over(RuntimeSetting, THE_ONE)
        return self._view(kept)

    def _after(self, values: Mapping[str, Any], given: Mapping[str, Any]) -> Row:
        """What is changed after this change; a value that the environment gives anyway is none."""
        wanted = {**values, **given}
        return {
            name: value
            for name, value in wanted.items()
            if name in CHANGEABLE and value is not None and (name not in given or value != self._configured[name])
        }

    def _refuse_beyond(self, actor: Actor, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        """Refuse to let anybody become an instructor who could make nobody one: it would be a way to be one."""
        was, is_to_be = ({**self._configured, **values}[_OPEN_TO_INSTRUCTORS] for values in (before, after))
        if is_to_be and not was:
            refuse_beyond(actor, Role.INSTRUCTOR, ())

    async def _write(self, actor: Actor, kept: Row, values: Row) -> Row | None:
        at = self._clock.now()
        await RuntimeSetting.begin(at)
        write, names = Write(kept["version"] + 1, at), sorted(values.keys() | kept["values"].keys())
        before = {name.upper(): kept["values"].get(name, self._configured.get(name)) for name in names}
        after = {name.upper(): values.get(name, self._configured.get(name)) for name in names}
        intents = [
            audit(write, actor, "settings.change", kind="settings", target_id=THE_ONE, before=before, after=after),
            effect(write, TOLD, {"version": write.version}),
        ]
        if not await RuntimeSetting.put_values(kept["version"], values, intents=intents, at=at):
            return None
        return {"values": values, "version": write.version, "updated_at": at}

    async def _tell(self, _intent_id: str, data: dict[str, Any]) -> None:
        await self._bus.fan_out.publish_control(SETTINGS_CHANGED, {"version": data["version"]})

    # --- parts ---

    def _adopt(self, kept: Row) -> None:
        """Let these hold, unless newer ones do already."""
        if kept["version"] >= self._version:
            self._version = kept["version"]
            adopt(self._settings, {**self._configured, **self._valid(kept["values"])})

    def _valid(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those that this version of the program takes."""
        taken: dict[str, Any] = {}
        for name, value in values.items():
            try:
                read_model(SettingsChange, {name: value})
            except Refused as refused:
                _log.warning("the changed setting %s is not taken: %s", name.upper(), refused.fields[0].message)
            else:
                taken[name] = value
        return taken

    def _view(self, kept: Row) -> AdminSettingsView:
        shown, default = self._settings.masked(), defaults()
        names = [*CHANGEABLE, *(name.lower() for name in shown if name.lower() not in CHANGEABLE)]
        settings = [
            SettingView(
                name=name.upper(),
                value=shown[name.upper()],
                configured=self._configured.get(name, shown[name.upper()]),
                default=default[name.upper()],
                source=self._source_of(name, kept["values"]),
                description=description_of(name),
                is_changed=name in kept["values"],
                is_changeable=name in CHANGEABLE,
                **(bounds_of(name) if name in CHANGEABLE else {}),
            )
            for name in names
        ]
        return AdminSettingsView(settings=settings, version=kept["version"], updated_at=kept["updated_at"])

    def _source_of(self, name: str, changed: Mapping[str, Any]) -> Literal["changed", "given", "default"]:
        if name in changed:
            return "changed"
        return "given" if name in self._settings.model_fields_set else "default"
