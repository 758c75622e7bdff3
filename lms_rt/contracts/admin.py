"""What administrators see of the whole school, and the settings that they change while it runs. Nothing secret is in it."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Literal

from pydantic import AliasChoices, Field, create_model

from config.settings_runtime import CHANGEABLE, description_of, kind_of
from lms_rt.contracts.base import Change, Instant, View
from lms_rt.contracts.health import CheckView
from lms_rt.contracts.revenue import MoneySum

# --- figures ---


class NodeView(View):
    """One process that answers requests, by its own report."""

    id: str
    host: str
    pid: int
    version: str
    connections: int
    started_at: Instant
    seen_at: Instant


class AdminStatsView(View):
    """The school in figures.

    What is counted over whole collections is as of `counted_at`, at most a minute ago. `connections` are open sockets,
    all `nodes` together; `revenue_30d` is what was paid less what went back; `queue_lengths` are the jobs that are due; `storage_bytes` is what the database takes.
    """

    counted_at: Instant
    users_by_role: dict[str, int]
    active_users_30d: int
    courses: int
    published_courses: int
    enrollments: int
    attempts_open: int
    revenue_30d: list[MoneySum]
    storage_bytes: int | None
    queue_lengths: dict[str, int]
    dead_letters: int
    connections: int
    nodes: list[NodeView]
    database: CheckView
    redis: CheckView
    node: str
    version: str
    uptime_seconds: int


# --- settings ---


class SettingView(View):
    """One setting by the name that it has in the environment.

    `value` holds now, secrets masked; `configured` is what the environment (or the default) says. `source` is where `value`
    is from: changed here, given for this installation, or the default. The bounds (`least`, `most`, `choices`) are those of
    settings that can be changed here.
    """

    name: str
    value: Any
    configured: Any
    default: Any
    source: Literal["changed", "given", "default"]
    description: str
    least: int | None = None
    most: int | None = None
    choices: list[str] | None = None
    is_changed: bool
    is_changeable: bool


class AdminSettingsView(View):
    """All settings, those first that can be changed here. `updated_at` is null until one was."""

    settings: list[SettingView]
    version: int
    updated_at: Instant | None


def _changeable() -> dict[str, Any]:
    """The fields: each by its name in the environment or in lower case, with the bounds of the setting, or null."""
    fields: dict[str, Any] = {}
    for name in CHANGEABLE:
        names = AliasChoices(name.upper(), name)
        fields[name] = (kind_of(name) | None, Field(None, validation_alias=names, description=description_of(name)))
    return fields


class _SentBack(Change):
    """What is shown of all settings may come along as it was read."""

    read_only: ClassVar[frozenset[str]] = frozenset(AdminSettingsView.model_fields)


SettingsChange: type[Change] = create_model(
    "SettingsChange",
    __base__=_SentBack,
    __doc__="Settings that are to hold from now on, on all nodes; null lets what the environment says hold again.",
    **_changeable(),
)


@cache
def bounds_of(name: str) -> dict[str, Any]:
    """What a setting that can be changed here may be: the members `least`, `most` and `choices` of its view."""
    either = SettingsChange.model_json_schema(by_alias=False)["properties"][name]["anyOf"]
    schema = next(one for one in either if one.get("type") != "null")
    return {"least": schema.get("minimum"), "most": schema.get("maximum"), "choices": schema.get("enum")}
