"""Outgoing webhooks as they cross a border: the endpoint, its deliveries, and one request on its way. No rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from lms_rt.contracts.base import Change, Draft, Instant, Line, NewestFirst, PageQuery, View
from lms_rt.contracts.events import RECORD_TYPES

TEST_EVENT = "webhook.test"
MAX_URL = 2_000
MAX_WEBHOOKS = 100


def _check_types(types: list[str]) -> list[str]:
    """Each of the catalogue, once."""
    if unknown := next((one for one in types if one not in RECORD_TYPES), None):
        raise PydanticCustomError("unknown_type", "There is no event type {type}", {"type": unknown})
    return list(dict.fromkeys(types))


Url = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_URL)]
EventTypes = Annotated[list[str], Field(max_length=100), AfterValidator(_check_types)]
"""Types of `GET /events`; none: all of them."""


class WebhookDraft(Draft):
    """A new endpoint. Without `event_types` it is sent every event."""

    url: Url
    event_types: EventTypes = Field(default_factory=list)
    description: Line = ""
    is_active: bool = True


class WebhookChange(Change):
    """A partial update. `rotate_secret` makes a new secret; the old one signs too for a day more."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {
            "id",
            "secret",
            "disabled_reason",
            "failing_since",
            "paused_until",
            "created_by",
            "version",
            "created_at",
            "updated_at",
        }
    )
    url: Url = ""
    event_types: EventTypes = Field(default_factory=list)
    description: Line = ""
    is_active: bool = True
    rotate_secret: bool = False


class WebhookView(View):
    """An endpoint. `secret` is there in the reply that made it and never again; `paused_until` may be past."""

    id: str
    url: str
    event_types: list[str]
    description: str
    is_active: bool
    secret: str | None = None
    disabled_reason: str | None
    failing_since: Instant | None
    paused_until: Instant | None
    created_by: str
    version: int
    created_at: Instant
    updated_at: Instant


class WebhookQuery(PageQuery):
    """The list of endpoints."""

    sort: Literal["created_at", "-created_at"] = "created_at"


class ResponseHead(View):
    """What a receiver answered: its headers, and the first kilobyte of its body."""

    headers: dict[str, str]
    body: str


class AttemptAtDeliveryView(View):
    """One request of a delivery, and what came of it. `status_code` is null when nothing was answered."""

    attempt: int
    status_code: int | None
    error: str | None
    duration_ms: int
    created_at: Instant


class DeliveryView(View):
    """An event on its way to an endpoint, as of its latest attempt; 0: none was made yet.

    `next_attempt_at` is null once it was delivered or given up.
    """

    id: str
    webhook_id: str
    event_id: str
    type: str
    is_delivered: bool
    attempt: int
    status_code: int | None
    error: str | None
    duration_ms: int | None
    request_headers: dict[str, str]
    response_head: ResponseHead | None
    attempts: list[AttemptAtDeliveryView]
    created_at: Instant
    next_attempt_at: Instant | None


class DeliveryQuery(PageQuery):
    """Deliveries of an endpoint, the newest first."""

    event_id: Annotated[str, StringConstraints(max_length=100)] | None = None
    is_delivered: bool | None = None
    sort: NewestFirst = "-created_at"


# --- one request on its way; not seen from outside ---


@dataclass(frozen=True, slots=True)
class PinnedTarget:
    """An address whose host was resolved and judged; the request goes to one of `addresses` and nowhere else."""

    scheme: str
    host: str
    port: int
    path: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the heads, and the beginning of the body as text."""

    status_code: int
    headers: Mapping[str, str]
    body: str


class Unanswered(Exception):
    """No answer came, with words for people."""


def payload(event_id: str, type_: str, at: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What an endpoint is sent for an event: the same at every attempt."""
    return {"id": event_id, "type": type_, "timestamp": at, "data": dict(data)}
