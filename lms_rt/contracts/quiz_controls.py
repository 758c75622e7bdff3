"""Controls of a running quiz at the border: what a teacher orders, and what became of it. No rules."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from documents.enums import ControlKind, ScopeKind
from lms_rt.contracts.accommodations import GroupName
from lms_rt.contracts.base import Draft, Identifier, Instant, Key, Line, Page, PageQuery, View

MAX_CHOSEN = 2_000
NAMED = 100
"""So many of the chosen attempts a list names; how many there are, it always says."""
DAY_SECONDS = 86_400

Chosen = Annotated[list[Identifier], Field(min_length=1, max_length=MAX_CHOSEN)]
Seconds = Annotated[int, Field(ge=1, le=DAY_SECONDS)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]


# --- what comes in ---


class OrderDraft(Draft):
    """Whom it is for: these attempts, this group, or (neither) everybody who sits the quiz now. A repeat of `op_id` is one."""

    attempt_ids: Chosen | None = None
    group: GroupName | None = None
    reason: Line = ""
    op_id: Key | None = None

    @model_validator(mode="after")
    def _names_one(self) -> OrderDraft:
        if self.attempt_ids is not None and self.group is not None:
            raise PydanticCustomError("both", "Name attempts or a group, not both")
        return self


class ExtendDraft(OrderDraft):
    """So much more time."""

    seconds: Seconds


class AnnounceDraft(OrderDraft):
    """A word to those who sit the quiz."""

    text: Words


class LiveOrder(OrderDraft):
    """`live.pause`, `live.resume`, `live.end`. All five have one row of fields: what says nothing here may be null."""

    quiz_id: Identifier
    seconds: None = None
    text: None = None


class LiveExtend(ExtendDraft):
    """`live.extend`."""

    quiz_id: Identifier
    text: None = None


class LiveAnnounce(AnnounceDraft):
    """`live.announce`."""

    quiz_id: Identifier
    seconds: None = None


class ControlQuery(PageQuery):
    """Which controls: newest first, in pages."""


# --- what goes out ---


class OrderedView(View):
    """What became of an order: the attempts that it took effect on, and those of the chosen ones that were closed before."""

    control_id: str
    applied: list[str]
    already_closed: list[str]


class ScopeView(View):
    """Whom a control is for. `attempt_ids` are the first hundred of the chosen attempts."""

    kind: ScopeKind
    group: str | None
    attempt_ids: list[str]
    attempts_count: int


class ControlView(View):
    """A control with its receipts: how many attempts it took effect on, and how many of their screens have shown it."""

    control_id: str
    n: int
    kind: ControlKind
    seconds: int | None
    text: str
    scope: ScopeView
    reason: str
    by_id: str
    by_name: str
    at: Instant
    done_at: Instant | None
    applied_count: int
    seen_count: int


class UnseenView(View):
    """An attempt that a control took effect on, and no screen of which has shown it yet."""

    attempt_id: str
    student_id: str
    full_name: str


class ControlDetailView(ControlView):
    """A control, and who has not seen it: in pages, by name."""

    unseen: Page[UnseenView]


class MessageView(View):
    """What the student was told of a control that took effect on their attempt."""

    control_id: str
    kind: ControlKind
    text: str
    seconds: int | None
    reason: str
    question_ids: list[str]
    at: Instant
    is_seen: bool
