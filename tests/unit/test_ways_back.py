"""The mark that leads who acts in somebody's place back: for a day, and only as it was written."""

from __future__ import annotations

import re

import pytest

from lms_rt.clock import FakeClock
from lms_rt.security.keyring import Keyring
from lms_rt.security.ways_back import MAX_WAY, WAY_BACK_SECONDS, WayBack, WaysBack

OLD, NEW = "a" * 32, "b" * 32
WAY = WayBack("usr_ada", "fam_ada", "fam_acting")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def test_it_leads_back_for_a_day(clock: FakeClock) -> None:
    ways = WaysBack(Keyring(OLD), clock)
    mark = ways.write(WAY)
    assert ways.find(mark) == WAY
    assert len(mark) <= MAX_WAY
    assert re.fullmatch(r"[\w.!-]+", mark, re.ASCII)  # what a cookie holds without quotes
    clock.advance(WAY_BACK_SECONDS - 1)
    assert ways.find(mark) == WAY
    clock.advance(1)
    assert ways.find(mark) is None


def test_it_outlives_a_change_of_keys(clock: FakeClock) -> None:
    mark = WaysBack(Keyring(OLD), clock).write(WAY)
    assert WaysBack(Keyring(NEW, (OLD,)), clock).find(mark) == WAY
    assert WaysBack(Keyring(NEW), clock).find(mark) is None


def test_nobody_writes_one_for_themselves(clock: FakeClock) -> None:
    ways = WaysBack(Keyring(OLD), clock)
    mark = ways.write(WAY)
    said, _, signature = mark.partition("!")
    later = said.rpartition(".")[0] + ".9999999999999"
    forged = (
        "", "!", said, f"{said}!", f"{said}!{signature[:-2]}", f"{later}!{signature}", f"{said}!{signature}" + " ",
        mark.replace("usr_ada", "usr_eve"), mark.replace("fam_ada", "fam_eve"), mark.replace("fam_acting", "fam_eve"),
        f"{said}!ü", f"{said}\n!{signature}", f"{mark}{'x' * MAX_WAY}", "٣" + mark,
    )  # fmt: skip
    assert [ways.find(one) for one in forged] == [None] * len(forged)
