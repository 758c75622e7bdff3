"""The first frame of the server: what a client must know of its connection."""

from __future__ import annotations

from collections.abc import Sequence

from lms_rt.clock import Clock, rfc3339_of_ms
from lms_rt.contracts.frames import HEARTBEAT_MS, MAX_FRAME_BYTES, Notice, notice_frame
from lms_rt.realtime.connection import Connection
from lms_rt.realtime.subscription import Subscription


def welcome_frame(connection: Connection, subscriptions: Sequence[Subscription], clock: Clock) -> bytes:
    """Who the connection is signed in as, for how long, and what it listens to already."""
    actor = connection.actor
    return notice_frame(
        Notice.WELCOME,
        connection_id=connection.id,
        server_time=rfc3339_of_ms(clock.now_ms()),
        clock_error_ms=clock.error_ms,
        heartbeat_ms=HEARTBEAT_MS,
        max_frame_bytes=MAX_FRAME_BYTES,
        user={"id": actor.user_id, "full_name": actor.full_name, "role": actor.role and actor.role.value},
        subscriptions=[
            {"channel": s.channel, "epoch": s.position.epoch, "offset": s.position.offset} for s in subscriptions
        ],
        session_expires_at=rfc3339_of_ms(actor.expires_at_ms),
    )
