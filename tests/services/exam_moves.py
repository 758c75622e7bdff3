"""What may happen in a random life of an exam: tabs, their operations, and actions with their weights. No checks."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from tests.services.stepping import Handler

MOST_TABS, MOST_ATTEMPTS = 4, 4
VALUES: tuple[tuple[Any, ...], ...] = (("a", "b", "c", None), (True, False, None))
SENDING = ("type_and_send", "send_again", "send_together", "submit")
Work = Coroutine[Any, Any, Any]


@dataclass(frozen=True)
class Op:
    """One operation as a tab made it."""

    op_id: str
    question: int
    value: Any
    seq: int
    base_revision: int


@dataclass
class Tab:
    """One page load: what it believes."""

    device_id: str
    attempt_id: str | None = None
    lease: str | None = None
    seq: int = 0
    seen: dict[int, int] = field(default_factory=dict)
    revision: int = 0
    made: list[Op] = field(default_factory=list)


@dataclass(frozen=True)
class Action:
    """What somebody does: which tab, over which node, and what becomes of the reply."""

    kind: str
    which: int
    node: int
    choice: int
    fate: str


@dataclass
class Running:
    """A handler with the tab that waits for its reply, and what it was sent with."""

    handler: Handler
    action: Action
    tab: Tab
    lease: str | None
    op: Op | None = None
    claimed: int | None = None

    @property
    def kind(self) -> str:
        """What was asked."""
        return self.action.kind

    @property
    def fate(self) -> str:
        """What becomes of the reply."""
        return self.action.fate


ACTIONS = st.builds(
    Action,
    kind=st.sampled_from(
        [
            *["type_and_send"] * 12,
            *["send_again"] * 8,
            *["send_together", "resume", "take_over", "start"] * 3,
            *["open_another_screen", "sweep", "resume_the_quiz"] * 2,
            *["submit", "let_time_pass", "come_to_the_deadline", "extend", "pause_the_quiz"],
            *["announce", "order_again", "end_the_quiz"],
        ]
    ),
    which=st.integers(0, MOST_TABS - 1),
    node=st.integers(0, 1),
    choice=st.integers(0, 3),
    fate=st.sampled_from(["reply", "reply", "reply", "lost", "crash"]),
)
