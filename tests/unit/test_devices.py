"""The mark of a browser that signed in before: whose it is, and that nobody makes one for himself."""

from __future__ import annotations

import re

import pytest

from lms_rt.security.devices import MAX_ACCOUNTS, MAX_MARK, DeviceMarks
from lms_rt.security.keyring import Keyring

OLD, NEW = "a" * 32, "b" * 32
MARKS = DeviceMarks(Keyring(OLD))


def test_a_browser_is_known_to_the_accounts_that_signed_in_with_it() -> None:
    mark = MARKS.renewed(MARKS.renewed("", "usr_1"), "usr_2")
    device = MARKS.find_device(mark)
    assert device
    assert [MARKS.find_known_device(mark, f"usr_{n}") for n in (1, 2, 3)] == [device, device, None]


def test_it_knows_the_last_eight() -> None:
    mark = ""
    for number in (*range(10), 5):
        mark = MARKS.renewed(mark, f"usr_{number}")
    known = [number for number in range(10) if MARKS.find_known_device(mark, f"usr_{number}")]
    assert known == list(range(10 - MAX_ACCOUNTS, 10))
    assert len(mark) <= MAX_MARK
    assert re.fullmatch(r"[\w.!-]+", mark, re.ASCII)  # what a cookie holds without quotes


def test_it_outlives_a_change_of_keys() -> None:
    mark = MARKS.renewed("", "usr_1")
    later = DeviceMarks(Keyring(NEW, (OLD,)))
    assert later.find_known_device(mark, "usr_1") == MARKS.find_device(mark)
    renewed = later.renewed(mark, "usr_2")
    assert DeviceMarks(Keyring(NEW)).find_known_device(renewed, "usr_1")
    assert DeviceMarks(Keyring(NEW)).find_device(mark) is None


def test_it_ends_for_an_account_whose_password_was_set_by_mail() -> None:
    mark = MARKS.renewed(MARKS.renewed("", "usr_1", since_ms=5), "usr_2")
    assert [MARKS.find_known_device(mark, "usr_1", since_ms=since_ms) is None for since_ms in (0, 5, 6)] == [
        True,
        False,
        True,
    ]
    assert MARKS.find_known_device(mark, "usr_2"), "and for nobody else who signs in there"
    assert MARKS.find_device(mark)


@pytest.mark.parametrize(
    "changed",
    [
        "{said}.AAAAAAAAAAAA!{sign}",
        "x{said}!{sign}",
        "{said}!{sign}A",
        "{said}!",
        "{said}",
        "{said}!é{sign}",
        "." * 9_000,
    ],
)
def test_a_changed_mark_is_none(changed: str) -> None:
    said, _, sign = MARKS.renewed("", "usr_1").partition("!")
    mark = changed.format(said=said, sign=sign)
    assert MARKS.find_device(mark) is None
    assert MARKS.find_known_device(mark, "usr_1") is None


def test_a_mark_that_is_none_of_ours_is_replaced() -> None:
    assert MARKS.find_known_device(MARKS.renewed("nonsense", "usr_1"), "usr_1")
