"""What being late costs: the worked examples of the documentation, and what holds whatever the dates are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_rt.contracts.base import hundredths_text
from lms_rt.services.late_penalty import Terms, late_days, reduced, standing, standing_of, terms_of

DOCS = Path(__file__).parents[2] / "docs" / "assignments.md"
DUE = datetime(2026, 5, 1, 12, tzinfo=UTC)
ZONES = ("UTC", "Europe/Berlin", "Africa/Cairo", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe")


def examples() -> list[list[str]]:
    text = DOCS.read_text(encoding="utf-8")
    table = text[text.index("| timezone | due") :].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("| ").split("|")] for line in table]


def test_the_documentation_has_examples_of_every_kind() -> None:
    assert len(examples()) >= 15


@pytest.mark.parametrize("example", examples(), ids=lambda row: f"{row[0]} {row[2]}")
def test_the_worked_examples_come_out(example: list[str]) -> None:
    zone, due, handed_in, per_day, days, off, raw, grade = example
    terms = Terms(datetime.fromisoformat(due), True, int(Decimal(per_day) * 100), zone, False)
    came = standing_of(terms, datetime.fromisoformat(handed_in), int(Decimal(raw) * 100))
    assert (came.late_days, came.is_late) == (int(days), int(days) > 0)
    assert (hundredths_text(came.penalty), hundredths_text(came.grade or 0)) == (off, grade)


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.integers(1_262_304_000, 1_893_456_000).map(lambda at: datetime.fromtimestamp(at, UTC)),
    st.integers(0, 40 * 86_400_000),
    st.integers(1, 5 * 86_400_000),
)
def test_days_of_lateness_never_go_back_and_follow_the_clock(
    zone: str, due: datetime, late_ms: int, later_ms: int
) -> None:
    first = late_days(due + timedelta(milliseconds=late_ms), due, zone)
    later = late_days(due + timedelta(milliseconds=late_ms + later_ms), due, zone)
    assert first <= later
    by_elapsed = -(-late_ms // 86_400_000)
    assert abs(first - by_elapsed) <= 1


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1_000_000), st.integers(0, 20_000))
def test_what_is_left_is_rounded_once_and_never_below_nothing(raw: int, penalty: int) -> None:
    exact = Decimal(raw) * max(0, 10_000 - penalty) / 10_000
    assert 0 <= reduced(raw, penalty) <= raw
    assert abs(reduced(raw, penalty) - exact) <= Decimal("0.5")


def test_a_students_own_date_holds_before_the_groups_and_before_everybodys() -> None:
    own, groups = DUE + timedelta(days=2), DUE + timedelta(days=1)
    row = {
        "due_date": DUE,
        "allow_late_submission": False,
        "late_penalty": 1_000,
        "timezone": "UTC",
        "overrides": [
            {"group": "B", "due_date": groups},
            {"student_id": "usr_1", "due_date": own, "allow_late_submission": True},
            {"student_id": "usr_2"},
        ],
    }
    assert (terms_of(row, "usr_1", "B").due_at, terms_of(row, "usr_1", "B").allows_late) == (own, True)
    assert (terms_of(row, "usr_3", "B").due_at, terms_of(row, "usr_3", "B").allows_late) == (groups, False)
    assert terms_of(row, "usr_3", None).due_at == DUE
    assert terms_of(row, "usr_2", None).due_at is None
    work = {"student_id": "usr_3", "submitted_at": DUE + timedelta(hours=30), "raw_grade": 5_000}
    assert (standing(row, work, group=None).grade, standing(row, work, group="B").grade) == (4_000, 4_500)
    assert standing(row, {"student_id": "usr_2", "submitted_at": DUE + timedelta(days=9)}, group=None).late_days == 0
