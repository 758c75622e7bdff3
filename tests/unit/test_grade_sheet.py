"""The sheet of grades, read as spreadsheets write it, and names in the archive of what was handed in."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_rt.interchange.grade_sheet import SheetFault, decimal_text, head_line, read_sheet, row_lines
from lms_rt.services.submission_archive import UniqueNames, safe_name

HEAD = "submission_id,grade,feedback\r\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1256"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_sheet_is_read_in_every_dress(encoding: str, delimiter: str) -> None:
    text = HEAD.replace(",", delimiter) + f"sub_1{delimiter}7.5{delimiter}أحسنت\r\n\r\n"
    content = text.encode(encoding)
    if encoding == "utf-16-le":
        content = b"\xff\xfe" + content
    rows = read_sheet(content)
    assert [(row.line, row.cells["grade"], row.cells["feedback"]) for row in rows] == [(2, "7.5", "أحسنت")]


@settings(max_examples=30, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\r"), max_size=40))
def test_what_goes_out_comes_back_and_runs_nowhere(feedback: str) -> None:
    row = {"submission_id": "sub_1", "grade": "5.00", "feedback": feedback}
    content = head_line() + row_lines([row])
    assert read_sheet(content)[0].cells["feedback"].lstrip("'") == feedback.lstrip("'")
    cell = row_lines([{"submission_id": "sub_1", "feedback": "=1+1"}]).decode()
    assert "'=1+1" in cell
    assert read_sheet(head_line() + cell.encode())[0].cells["feedback"] == "=1+1"


@pytest.mark.parametrize(
    "content",
    [b"", b"name,mark\r\nx,1\r\n", b'submission_id,grade\r\n"sub', b"submission_id,grade\n" + b"x,1\n" * 10_001],
)
def test_what_is_no_sheet_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(SheetFault):
        read_sheet(content)


def test_numbers_are_read_as_people_write_them() -> None:
    assert [decimal_text(one) for one in (" 7,5 ", "٧٫٥", "8")] == ["7.5", "٧.٥", "8"]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("../../etc/passwd", "_._etc_passwd"),
        ("C:\\Windows\\x.txt", "C__Windows_x.txt"),
        ("بحث نهائي.pdf", "بحث نهائي.pdf"),
        ("con.txt", "_con.txt"),
        (" .. ", "_"),
        ("evil\u202efdp.exe", "evilfdp.exe"),
        ("a\nb.txt", "a_b.txt"),
        ("x" * 300 + ".docx", "x" * 115 + ".docx"),
    ],
)
def test_a_name_is_one_step_of_a_path(wanted: str, name: str) -> None:
    assert safe_name(wanted) == name


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=20), max_size=8))
def test_no_two_names_of_a_folder_meet(wanted: list[str]) -> None:
    names = UniqueNames()
    given_names = [names.given("f", one) for one in wanted]
    assert len({one.casefold() for one in given_names}) == len(wanted)
    assert all(one not in ("", ".", "..") and "/" not in one and "\\" not in one for one in given_names)
