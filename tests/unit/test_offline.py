"""The arithmetic of lost connections, over random lives of lines: never more than the absences, never twice, never above the cap."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from lms_rt.services.offline import (
    GAP_MS,
    Line,
    Offline,
    Pending,
    credit_seconds,
    offline_of,
    offline_view,
    stood_still_ms,
    stored_row,
)

START = 1_000_000


@dataclass(frozen=True)
class Step:
    """What happens after so many milliseconds: to which line, and on which node."""

    wait_ms: int
    kind: str
    line: int


STEPS = st.lists(
    st.builds(
        Step,
        wait_ms=st.integers(1, 30_000),
        kind=st.sampled_from(["came", "came", "went", "went", "node dies", "asked", "decided"]),
        line=st.integers(0, 3),
    ),
    max_size=40,
)


def came(offline: Offline, line: str, at_ms: int, *, node: str = "a", stood_ms: int = 0) -> Offline:
    return offline.came(Line(line, node, at_ms), stood_ms=stood_ms)


@given(STEPS)
def test_what_is_counted_are_the_absences_that_are_longer_than_five_seconds(steps: list[Step]) -> None:
    offline, now = Offline(), START
    up: set[int] = set()
    away_since, absences, decided = None, 0, 0
    for step in steps:
        now += step.wait_ms
        if step.kind == "came":
            if away_since is not None and now - away_since > GAP_MS:
                absences += now - away_since
            away_since = None
            offline, up = came(offline, str(step.line), now), up | {step.line}
        elif step.kind == "went" and step.line in up:
            offline, up = offline.went(str(step.line), now, stood_ms=0), up - {step.line}
            away_since = now if not up else None
        elif step.kind == "node dies" and up:
            offline, up = offline.lost({"a": now}, stood_ms=0), set()
            away_since = now
        elif step.kind == "asked":
            offline = offline.asked()
            assert (offline.asked_ms or 0) == offline.undecided_ms
        elif step.kind == "decided" and offline.undecided_ms:
            decided += offline.undecided_ms
            offline = offline.giving(Pending(offline.credits + 1, 1, "system", "", "", now)).given(has_reached=True)
        assert offline.lost_ms == absences
        assert offline.decided_ms == decided <= absences
        assert {line.line_id for line in offline.lines} == {str(one) for one in up}
        assert offline.since_ms == away_since
        assert offline_of(stored_row(offline)) == offline


@given(
    lost=st.lists(st.integers(0, 1_000_000), max_size=8),
    cap_ms=st.integers(0, 3_600_000).map(lambda ms: ms // 1000 * 1000),
)
def test_what_is_given_back_by_itself_stays_under_the_cap(lost: list[int], cap_ms: int) -> None:
    offline = Offline()
    for lost_ms in lost:
        offline = Offline(
            lost_ms=offline.lost_ms + lost_ms, decided_ms=offline.decided_ms, credited_ms=offline.credited_ms
        )
        seconds = credit_seconds(offline, cap_ms=cap_ms)
        assert 0 <= seconds * 1000 < offline.undecided_ms + 1000
        pending = Pending(offline.credits + 1, seconds, "system", "", "", 0)
        giving = offline.giving(pending)
        assert credit_seconds(giving, cap_ms=cap_ms) == 0  # nothing is left to decide
        offline = giving.given(has_reached=True)
        assert offline.credited_ms <= cap_ms
    assert offline.credited_ms <= cap_ms
    if sum(lost) <= cap_ms - 1000 * len(lost):
        assert offline.credited_ms >= sum(lost)


def test_no_time_is_lost_while_the_exam_stands_still() -> None:
    attempt = {"paused_ms": 10_000, "paused_at_ms": START + 20_000}
    assert stood_still_ms(attempt, START + 5_000) == 10_000
    assert stood_still_ms(attempt, START + 50_000) == 40_000
    away = came(Offline(), "x", START).went("x", START + 5_000, stood_ms=10_000)
    assert came(away, "y", START + 50_000, stood_ms=40_000).lost_ms == 15_000
    assert came(away, "y", START + 39_000, stood_ms=39_000).lost_ms == 0  # five seconds and no more


def test_a_line_is_counted_once_and_only_the_last_one_leaves_nobody() -> None:
    two = came(came(came(Offline(), "x", START), "x", START + 1), "y", START + 2, node="b")
    assert len(two.lines) == 2
    assert two.went("x", START + 9, stood_ms=0).since_ms is None
    assert two.went("z", START + 9, stood_ms=0) == two
    alone = two.lost({"b": START + 9}, stood_ms=0)
    assert [line.line_id for line in alone.lines] == ["x"]
    assert alone.since_ms is None


def test_who_came_back_elsewhere_before_their_node_was_given_up_has_lost_what_lay_between() -> None:
    moved = came(came(Offline(), "x", START, node="dead"), "y", START + 12_000, node="b")
    after = moved.lost({"dead": START + 3_000}, stood_ms=0)
    assert (after.lost_ms, after.gaps, after.since_ms) == (9_000, 1, None)
    soon = came(came(Offline(), "x", START, node="dead"), "y", START + 7_000, node="b")
    assert soon.lost({"dead": START + 3_000}, stood_ms=0).lost_ms == 0


def test_of_an_absence_that_goes_on_everything_counts_from_where_it_was_counted() -> None:
    away = came(Offline(), "x", START).went("x", START, stood_ms=0)
    assert away.counted_until(START + GAP_MS, stood_ms=0) == away
    counted = away.counted_until(START + 60_000, stood_ms=0)
    assert (counted.lost_ms, counted.gaps, counted.since_ms) == (60_000, 1, START + 60_000)
    back = came(counted, "y", START + 61_000)
    assert (back.lost_ms, back.gaps) == (61_000, 1)


def test_after_the_deadline_nothing_is_lost() -> None:
    away = came(Offline(), "x", START).went("x", START, stood_ms=0)
    back = away.came(Line("y", "a", START + 90_000), stood_ms=0, until_ms=START + 60_000)
    assert back.lost_ms == 60_000


def test_a_credit_that_came_too_late_is_not_counted() -> None:
    giving = Offline(lost_ms=60_000).giving(Pending(1, 60, "system", "", "", 0))
    assert giving.granted_ms == 60_000
    late = giving.given(has_reached=False)
    assert (late.credited_ms, late.pending, late.undecided_ms) == (0, None, 0)
    refused = Offline(lost_ms=60_000).giving(Pending(1, 0, "usr_x", "", "", 0))
    assert (refused.pending, refused.undecided_ms, refused.credits) == (None, 0, 1)


def test_what_was_lost_asked_for_and_given_are_rounded_alike() -> None:
    offline = Offline(lost_ms=9_100, credited_ms=9_100, asked_ms=9_100)
    view = offline_view({"status": "in_progress", "offline": stored_row(offline)}, START)
    given = credit_seconds(offline, cap_ms=60_000)
    assert (view.lost_seconds, view.asked_seconds, view.credited_seconds, given) == (10, 10, 10, 10)
