"""Commands of the live protocol about the connection itself: subscriptions, time, the session. Each without `id`, `type`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from lms_rt.contracts.base import Draft

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
