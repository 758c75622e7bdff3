"""Tables for spreadsheets: what somebody wrote stays what it is, and never runs."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_rt.interchange.csv_rows import csv_lines


def read(lines: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(lines.decode(), newline="")))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "\u200b=1", " =1", "\u202e=cmd|' /C calc'!A0", "\ufeff@a"],
)
def test_what_a_spreadsheet_would_run_is_text(text: str) -> None:
    assert read(csv_lines([[text]])) == [[f"'{text}"]]


@pytest.mark.parametrize("text", ["Mona", "a=b", "٣-٤", "O'Brien", 'say "hi", twice', "two\nlines", "ليلى"])
def test_other_words_are_left_alone(text: str) -> None:
    assert read(csv_lines([[text]])) == [[text]]


def test_values_have_one_spelling() -> None:
    assert csv_lines([[None, True, False, -5, "x"], []]) == b",true,false,-5,x\r\n\r\n"


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00\r\n")), min_size=2))
def test_a_cell_is_never_two(cells: list[str]) -> None:
    rows = read(csv_lines([cells]))
    assert [cell.removeprefix("'") for cell in rows[0]] == [cell.removeprefix("'") for cell in cells]
    assert all(not cell.startswith(("=", "+", "-", "@")) for cell in rows[0])
