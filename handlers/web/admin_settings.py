"""/admin/settings: what holds, where it is from, and forms that change what may be changed while the school runs.

Nothing is saved before the difference was shown. The same service as PATCH /admin/settings; works without scripts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from handlers.rest.access import needs
from handlers.rest.errors import status_of
from handlers.web.base import PageHandler, Screen
from lms_rt.contracts.admin import AdminSettingsView, SettingsChange, SettingView
from lms_rt.contracts.base import read_model
from lms_rt.contracts.numbers import read_number
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.security.rights import Reach

PATH = "/admin/settings"
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("registration", ("REGISTRATION_", "REQUIRE_", "ALLOW_")),
    ("limits", ("RATE_LIMIT_",)),
    ("files", ("MAX_",)),
    ("retention", ("RETENTION_",)),
    ("logs", ("LOG_",)),
)
"""How settings that can be changed are set out: by the beginnings of their names. A test finds each in one group."""
_SHEETS = ("pages.css", "teach.css", "admin.css")
_TRUTH = {"yes": True, "no": False}
_MAX_VERSION_DIGITS = 9
_BEYOND = 1_000_000_000
"""No setting is as large."""
_RISKY: Mapping[str, bool] = {
    "ALLOW_PUBLIC_ROLE_REGISTRATION": True,
    "REQUIRE_VERIFIED_EMAIL": True,
    "RATE_LIMIT_ENABLED": False,
}
"""The value at which a setting lets more happen than people may think of."""
_SHORTER = "RETENTION_"
_SAID = frozenset({"saved", "same"})


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting that is about to change. `typed` is what the form carries along; `beware` is a key of words."""

    setting: SettingView
    value: Any
    is_taken_back: bool
    typed: str

    @property
    def beware(self) -> str:
        """What whoever changes it should know first, if anything."""
        name, value, old = self.setting.name, self.value, self.setting.value
        if name in _RISKY:
            return f"beware_{name.lower()}" if value is _RISKY[name] else ""
        return "beware_shorter" if name.startswith(_SHORTER) and value < old else ""


class SettingsPage(PageHandler):
    """What holds now, with a form for what may be changed."""

    access = needs("settings:manage")
    reach = Reach.ALL

    async def get(self) -> None:
        """All settings."""
        done = self.get_query_argument("done", "")
        await self.show_form(done=done if done in _SAID else "")

    async def show_form(self, *, faults: Sequence[FieldError] = (), fault: str = "", done: str = "") -> None:
        """The form: as things are, or (with faults) as it was typed."""
        kept = await self.services.runtime_settings.show(self.actor)
        changeable = [one for one in kept.settings if one.is_changeable]
        title = self.t("admin.settings")
        self.show(
            Screen(
                "admin_settings.html",
                title=(f"{self.t('client.error_title')} {title}" if faults or fault else title,),
                sheets=_SHEETS,
            ),
            tab="settings",
            path=PATH,
            version=kept.version,
            updated_at=kept.updated_at,
            groups=[(group, _of_group(begins, changeable)) for group, begins in GROUPS],
            others=[one for one in kept.settings if not one.is_changeable],
            typed={one.name: self.typed(one) if faults else typed_text(one.value) for one in changeable},
            taken_back=self.get_body_arguments("back") if faults else [],
            errors=[(one.field, self._words_of(one, changeable)) for one in faults],
            fault=fault,
            done=done,
            is_open=not self.actor.is_impersonated,
        )

    def typed(self, setting: SettingView) -> str:
        """What stands in a setting's field; one that was not sent stands as it is."""
        return self.get_body_argument(setting.name, typed_text(setting.value))[:100]

    def _words_of(self, fault: FieldError, changeable: Sequence[SettingView]) -> str:
        setting = next((one for one in changeable if one.name == fault.field), None)
        if setting is None:
            return self.t("settings.fault_other")
        name = self.t(f"settings.name_{setting.name.lower()}")
        if setting.least is None:
            return self.t("settings.fault_choice", name=name)
        least, most = (self.t.numerals(f"{bound or 0:,}") for bound in (setting.least, setting.most))
        key = "settings.fault_least" if setting.most is None else "settings.fault_between"
        return self.t(key, name=name, least=least, most=most)


class SettingsAct(SettingsPage):
    """What the forms do: show the difference, then save it."""

    is_own_alone: ClassVar[bool] = True

    def get(self, _act: str) -> None:  # type: ignore[override]  # the address has a part more
        """An address that is left of a form: back to the settings."""
        self.redirect(PATH, status=303)

    async def post(self, act: str) -> None:
        """Do it; where it cannot be done, say why above the form."""
        if act not in {"review", "save"}:
            raise Refused(Code.NOT_FOUND)
        try:
            await (self._review() if act == "review" else self._save())
        except Refused as refused:
            fault = _FAULTS.get(refused.code)
            if fault is None:
                raise
            self.set_status(status_of(refused.code))
            faults = [FieldError(one.field.upper(), one.message, one.code) for one in refused.fields]
            await self.show_form(faults=faults, fault="" if faults else fault)

    async def _review(self) -> None:
        kept = await self.services.runtime_settings.show(self.actor)
        if self._expected_version() != kept.version:
            raise Refused(Code.VERSION_MISMATCH)
        differences = self._differences(kept)
        if not differences:
            self.redirect(f"{PATH}?done=same", status=303)
            return
        _change_of(differences)
        title = self.t("settings.review"), self.t("admin.settings")
        self.show(
            Screen("admin_settings_review.html", title=title, sheets=_SHEETS),
            tab="settings",
            path=PATH,
            version=kept.version,
            differences=differences,
        )

    async def _save(self) -> None:
        settings = self.services.runtime_settings
        change = _change_of(self._differences(await settings.show(self.actor)))
        await settings.change(self.actor, change, expected_version=self._expected_version())
        self.redirect(f"{PATH}?done=saved", status=303)

    def _differences(self, kept: AdminSettingsView) -> list[Difference]:
        """What was typed that is not so already."""
        back = set(self.get_body_arguments("back"))
        found = []
        for setting in kept.settings:
            if not setting.is_changeable:
                continue
            if setting.name in back and setting.is_changed:
                found.append(Difference(setting, setting.configured, is_taken_back=True, typed=""))
                continue
            typed = self.typed(setting)
            value = value_of(setting, typed)
            if value != setting.value:
                found.append(Difference(setting, value, is_taken_back=False, typed=typed))
        return found

    def _expected_version(self) -> int | None:
        """The version that the form was made from; without one it fits none."""
        text = self.field("version")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_VERSION_DIGITS else 0


_FAULTS = {
    Code.VERSION_MISMATCH: "changed_meanwhile",
    Code.VALIDATION_FAILED: "invalid",
    Code.FORBIDDEN: "forbidden",
}


def typed_text(value: Any) -> str:
    """A value as it stands in a field."""
    return ("yes" if value else "no") if isinstance(value, bool) else str(value)


def value_of(setting: SettingView, typed: str) -> Any:
    """What was typed as the setting takes it; what it cannot be stays text, and is refused with the others."""
    if isinstance(setting.value, bool):
        return _TRUTH.get(typed, typed)
    if isinstance(setting.value, int):
        number = read_number(typed)
        is_whole = number is not None and abs(number) < _BEYOND and number == number.to_integral_value()
        return int(number) if number is not None and is_whole else typed
    return typed


def _change_of(differences: Sequence[Difference]) -> Any:
    """The change that they come to. Raises with every fault."""
    return read_model(
        SettingsChange, {one.setting.name: None if one.is_taken_back else one.value for one in differences}
    )


def _of_group(begins: tuple[str, ...], settings: Sequence[SettingView]) -> list[SettingView]:
    return [one for one in settings if one.name.startswith(begins)]


PAGES = [
    (r"/admin/settings/?", SettingsPage),
    (r"/admin/settings/([a-z]+)", SettingsAct),
]
"""The rows of these pages."""
