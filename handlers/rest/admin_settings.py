"""Settings that administrators see, and those that they change while the school runs."""

from __future__ import annotations

from handlers.rest.access import needs
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.admin import AdminSettingsView, SettingsChange
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def show_settings(call: Call) -> Reply:
    """All settings."""
    return Reply(await call.services.runtime_settings.show(call.actor))


async def change_settings(call: Call) -> Reply:
    """Change some."""
    settings = call.services.runtime_settings
    return Reply(await settings.change(call.actor, call.body, expected_version=call.expected_version))


_OPERATOR = needs("settings:manage")

ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/admin/settings",
        show_settings,
        _OPERATOR,
        reach=Reach.ALL,
        reply=AdminSettingsView,
        summary="The settings",
        description="As they hold on this node now, by their names in the environment. Secrets are masked.",
    ),
    Operation(
        "PATCH",
        "/admin/settings",
        change_settings,
        _OPERATOR,
        reach=Reach.ALL,
        body=SettingsChange,
        reply=AdminSettingsView,
        codes=(Code.VERSION_MISMATCH,),
        audit="settings.change",
        is_own_alone=True,
        summary="Change settings while the school runs",
        description=(
            "Those alone that are safe to change; they hold on every node within seconds, and after the next start. Null "
            "lets what the environment says hold again."
        ),
    ),
)
