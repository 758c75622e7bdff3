"""The numbered closes of the live socket, each with its meaning for clients. This table makes the page in the docs."""

from __future__ import annotations

from enum import Enum


class Close(Enum):
    """(code, may the client reconnect by itself, reason on the wire, what a client should do)."""

    GOING_AWAY = (1001, True, "going away", "The peer is leaving. Reconnect with jitter.")
    PROTOCOL_ERROR = (1002, False, "protocol error", "A frame broke RFC 6455. Mend the client.")
    NOT_UTF8 = (1007, False, "not UTF-8", "A text frame was not UTF-8. Mend the client.")
    TOO_BIG = (1009, False, "message too big", "A frame was over 64 KiB. Send smaller ones.")
    RESTARTING = (1012, True, "restarting", "The server restarts. Reconnect after `after_ms` of the reconnect notice.")
    OVERLOADED = (1013, True, "overloaded", "Too many at once. Reconnect after `after_ms` of the reconnect notice.")
    NO_AUTH_IN_TIME = (4001, True, "no auth in time", "No `auth` frame came within 5 s. Reconnect and send it first.")
    SESSION_EXPIRED = (4005, True, "session expired", "The access token ended. Refresh it, then reconnect.")
    TOO_SLOW = (4008, True, "too slow", "The send queue ran over. Reconnect and recover with `since`.")
    INSUFFICIENT_STATE = (
        4010,
        True,
        "insufficient state",
        "The server cannot prove that nothing was missed. Reconnect, subscribe anew and take the snapshot.",
    )
    TOO_MANY_BAD_FRAMES = (4500, False, "too many bad frames", "Ten malformed frames in a minute. Mend the client.")
    NOT_SIGNED_IN = (4501, False, "credentials missing or revoked", "Sign in again before connecting.")
    FORBIDDEN = (4503, False, "forbidden", "The origin or the role is refused. Do not reconnect.")
    TOO_MANY_CONNECTIONS = (
        4509,
        False,
        "too many connections",
        "The user has 20 connections. Close one before connecting.",
    )
    FLOODING = (4529, False, "flooding", "More than 30 commands/s for longer than a burst of 60. Slow down.")

    def __init__(self, code: int, may_reconnect: bool, reason: str, meaning: str) -> None:
        self.code, self.may_reconnect, self.reason, self.meaning = code, may_reconnect, reason, meaning
