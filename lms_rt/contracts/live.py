"""The live protocol about the connection itself: commands (each without `id`, `type`), their replies, and notices.

The replies and notices describe what is sent (and make the documents); tests hold the senders to them. No rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from lms_rt.contracts.attempts import HandedOutView
from lms_rt.contracts.base import Draft, View
from lms_rt.contracts.frames import Notice

ChannelName = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=4096)]


class AuthCommand(Draft):
    """`auth`: the first frame of a connection that brought no credentials."""

    token: Secret


class PositionDraft(Draft):
    """Where a client stands in a channel."""

    epoch: Annotated[str, StringConstraints(max_length=100)]
    offset: Annotated[int, Field(ge=0)]


class SubscribeCommand(Draft):
    """`subscribe`: listen, and get what was missed since a position."""

    channel: ChannelName
    since: PositionDraft | None = None


class UnsubscribeCommand(Draft):
    """`unsubscribe`: listen no more."""

    channel: ChannelName


class HistoryCommand(Draft):
    """`history`: some events of a channel that is subscribed to, in order."""

    channel: ChannelName
    before: Annotated[int, Field(ge=0)] | None = None
    after: Annotated[int, Field(ge=0)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 100


class PresenceCommand(Draft):
    """`presence`: who is on a channel that is subscribed to."""

    channel: ChannelName


class PingCommand(Draft):
    """`ping`: is anybody there?"""


class TimeSyncCommand(Draft):
    """`time.sync`: `t0` is the client's clock, echoed."""

    t0: int | float


class AuthRefreshCommand(Draft):
    """`auth.refresh`: a newer token, or a ticket, of the same session."""

    token: Secret | None = None
    ticket: Secret | None = None


# --- replies ---


class SubscriptionView(View):
    """A channel that is listened to, and the position in it."""

    channel: str
    epoch: str
    offset: int


class EventFrame(SubscriptionView):
    """An event with its place."""

    type: Literal["event"]
    event: str
    id: str
    at: str
    data: dict[str, Any]


class SubscribedView(SubscriptionView):
    """`subscribe`: `recovered` says that `events` are all that was missed since `since`."""

    recovered: bool
    events: list[EventFrame]


class HistoryView(View):
    """`history`: events in order, and the first and last offset that the history holds (0, 0: none)."""

    epoch: str
    events: list[EventFrame]
    first_offset: int
    last_offset: int


class PresentUser(View):
    """Somebody who is there."""

    user_id: str
    full_name: str
    devices: int


class PresenceView(View):
    """`presence`: how many people; who, for those alone who teach there."""

    count: int
    users: list[PresentUser]


class PingView(View):
    """`ping`: the server's time."""

    server_time: str


class TimeSyncView(View):
    """`time.sync`: `t0` as it came; `t1`, `t2` epoch milliseconds of arrival and reply."""

    t0: int | float
    t1: int
    t2: int
    clock_error_ms: int | float


class SessionView(View):
    """`auth.refresh`: until when the session lasts now."""

    session_expires_at: str


class DoneView(View):
    """Nothing to say but that it is done."""


class LiveAttemptView(HandedOutView):
    """`attempt.start`, `attempt.resume`, `attempt.take_over`: the attempt; `subscription` is null while the bus is away."""

    subscription: SubscriptionView | None


# --- notices, each without `type` ---


class WelcomeUser(View):
    """Who is signed in."""

    id: str
    full_name: str
    role: str | None


class WelcomeNotice(View):
    """The first frame of the server: who is signed in, for how long, and what is listened to already."""

    connection_id: str
    server_time: str
    clock_error_ms: int | float
    heartbeat_ms: int
    max_frame_bytes: int
    user: WelcomeUser
    subscriptions: list[SubscriptionView]
    session_expires_at: str


class ReconnectNotice(View):
    """The server is about to close (1012, 1013): come back after that time."""

    after_ms: int


class SessionExpiringNotice(View):
    """60 s are left: refresh the token by REST, then send `auth.refresh`."""

    session_expires_at: str


class UnsubscribedNotice(View):
    """You may not listen to this channel any more; the connection stays."""

    channel: str
    code: str


class DegradedNotice(View):
    """Live events are late, writes go on."""


class RestoredNotice(View):
    """Live events come again, those that waited first."""


NOTICES: Mapping[Notice, type[View]] = {
    Notice.WELCOME: WelcomeNotice,
    Notice.RECONNECT: ReconnectNotice,
    Notice.SESSION_EXPIRING: SessionExpiringNotice,
    Notice.UNSUBSCRIBED: UnsubscribedNotice,
    Notice.DEGRADED: DegradedNotice,
    Notice.RESTORED: RestoredNotice,
}
"""What the server says about the connection itself, by `type`."""
