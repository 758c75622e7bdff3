"""Notifications and what one wishes to be told: one's own, over HTTP."""

from __future__ import annotations

from handlers.rest.access import SIGNED_IN
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.contracts.notifications import (
    NotificationPage,
    NotificationQuery,
    NotificationStretch,
    NotificationView,
    PreferencesChange,
    PreferencesView,
    UnreadView,
)
from lms_rt.errors import Code
from lms_rt.security.rights import Reach


async def list_notifications(call: Call) -> Reply:
    """The caller's own, newest first."""
    return Reply(await call.services.notifications.list(call.actor, call.query))


async def read(call: Call) -> Reply:
    """One was read."""
    return Reply(await call.services.notifications.read(call.actor, call.path["notification_id"]))


async def read_all(call: Call) -> Reply:
    """All were read."""
    return Reply(await call.services.notifications.read_all(call.actor))


async def show_preferences(call: Call) -> Reply:
    """What the caller wishes to be told."""
    return Reply(await call.services.preferences.show(call.actor))


async def change_preferences(call: Call) -> Reply:
    """Change that."""
    preferences = call.services.preferences
    return Reply(await preferences.change(call.actor, call.body, expected_version=call.expected_version))


ROUTES: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/notifications",
        list_notifications,
        SIGNED_IN,
        reach=Reach.OWN,
        query=NotificationQuery,
        reply=NotificationPage | NotificationStretch,
        summary="My notifications",
        description="Newest first, in pages, or with `after` or `limit` by cursor. `unread` counts all that are unread.",
    ),
    Operation(
        "POST",
        "/notifications/{notification_id}/read",
        read,
        SIGNED_IN,
        reach=Reach.OWN,
        reply=NotificationView,
        summary="I have read a notification",
        description="All devices of the reader are told. Again changes nothing.",
    ),
    Operation(
        "POST",
        "/notifications/read-all",
        read_all,
        SIGNED_IN,
        reach=Reach.SELF,
        reply=UnreadView,
        summary="I have read all of them",
    ),
    Operation(
        "GET",
        "/notifications/preferences",
        show_preferences,
        SIGNED_IN,
        reach=Reach.SELF,
        reply=PreferencesView,
        summary="What I wish to be told",
    ),
    Operation(
        ("PUT", "PATCH"),
        "/notifications/preferences",
        change_preferences,
        SIGNED_IN,
        reach=Reach.SELF,
        body=PreferencesChange,
        reply=PreferencesView,
        codes=(Code.VERSION_MISMATCH,),
        summary="Change what I wish to be told",
        description="What is left out stays. Mails about the account itself are sent whatever is chosen.",
    ),
)
