"""GIFT: every construct is read as expected, nothing is dropped silently, and what is written reads back the same."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_rt.errors import Refused
from lms_rt.interchange.gift import decode, read_gift, write_gift
from lms_rt.interchange.gift.annotations import option_ids
from lms_rt.interchange.gift.escapes import escape, hold, release
from lms_rt.interchange.gift.texts import to_markdown
from tests.unit.gift_cases import again, assert_same, draft, fields_of, kept, one, read, shown

DATA = Path(__file__).parents[1] / "data" / "gift"


# --- our samples ---


@pytest.mark.parametrize("path", sorted(DATA.glob("*.gift")), ids=lambda path: path.stem)
def test_sample(path: Path) -> None:
    expected = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    rows = read(decode(path.read_bytes()))
    assert len(rows) == len(expected)
    for row, wanted in zip(rows, expected, strict=True):
        fields = wanted.pop("fields", None)
        assert {name: getattr(row, name) for name in wanted} == wanted
        if fields is None:
            assert row.draft is None
        else:
            got = fields_of(row)
            assert {name: value for name, value in got.items() if name not in ("question_type", "title")} == fields


@pytest.mark.parametrize("path", sorted(DATA.glob("*.gift")), ids=lambda path: path.stem)
def test_sample_survives_being_written(path: Path) -> None:
    stored = [kept(row.draft) for row in read_gift(decode(path.read_bytes())) if row.draft is not None]
    assert_same(stored, again(write_gift(stored)))


# --- details that samples do not show well ---


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"caf\xe9{T}", "Line 1 is not UTF-8 (byte 0xE9)"),
        (b"a{T}\n\n\xff", "Line 3 is not UTF-8"),
        (b"a{T}\n\0", "Line 2 holds a NUL"),
        ("a{T}".encode("utf-16")[:-1], "UTF-16"),
    ],
)
def test_another_encoding_is_refused_with_its_place(data: bytes, words: str) -> None:
    with pytest.raises(Refused) as refused:
        decode(data)
    assert words in refused.value.fields[0].message
    assert refused.value.fields[0].field == "file"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_and_line_ends(encoding: str) -> None:
    text = decode("ما؟{T}\r\n\r\nB{F}\r\rC{T}".encode(encoding))
    assert [row.line for row in read(text)] == [1, 3, 5]
    assert one(text.split("\n")[0]).draft is not None


@pytest.mark.parametrize("text", ["", "\n\n", "// only a remark\n// [id:1]", "$CATEGORY: x\n"])
def test_a_file_without_questions_has_no_rows(text: str) -> None:
    assert read(text) == []


def test_ids_of_options_tell_nothing_about_their_order() -> None:
    (row,) = read_gift("A{=a ~b ~c ~d ~e ~f ~g ~h}")
    assert row.draft is not None
    ids = option_ids(row.draft.model_dump())
    assert all(re.fullmatch(r"opt_[\w-]{12}", one) for one in ids)
    assert len(set(ids)) == 8


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a{#1:x}", "not a number: 'x'"),
        ("a{#}", "there is no number"),
        ("a{#=%50%*}", "any number (*) cannot be worth points"),
        ("a{=x -> }", "a pair has nothing behind its ->"),
        ("a{=%0%x}", "accepted"),
        ("a{~%0%x =%-5%y}", "no answer is worth anything"),
        ("a" * 200_001, "more than 200000 characters"),
        ("{T}", "there is no question text"),
        (f"a{{{'~x ' * 101}=y}}", "options: Give 100 at most"),
    ],
)
def test_why_a_question_is_left_out(text: str, reason: str) -> None:
    row = one(text)
    assert (row.status, row.draft) == ("skipped", None)
    assert reason in (row.reason or "")


def test_what_is_cut_is_told() -> None:
    row = one(f"$CATEGORY: {'c' * 300}\n::{'t' * 300}::a{{T}}")
    assert row.status == "degraded"
    assert row.reason == "the title beyond 200 characters; the category beyond 200 characters"
    assert row.title == "t" * 200


def test_our_own_remarks_never_harm_a_question() -> None:
    for lms in (
        '{"ids":["a"]}',
        '{"ids":{"left":[]}}',
        '{"ids":[[],[]]}',
        '{"set":{"options":5}}',
        '{"set":{"options.9.text":"x"}}',
        '{"set":{"nothing":1}}',
        '{"set":{"question_text":null}}',
        '{"set":[1]}',
        '{"set":{"points":"-1"}}',
        "[1]",
        "{" * 200,
        '{"set":{"title":"\\ud800"}}',
    ):
        row = one(f"// [lms: {lms}]\nA{{=b ~c}}")
        assert row.draft is not None
        assert row.draft.question_text == "A"
        assert row.status == ("imported" if lms == "[1]" else "degraded"), lms


def test_a_remark_keeps_to_what_was_edited_since() -> None:
    (stored,) = [kept(draft(question_type="numeric", question_text="Q", points="2.5", correct_answer={"value": 1}))]
    edited = write_gift([stored]).replace("{#1}", "{#2}").replace("Q", "Edited")
    (row,) = read(edited)
    assert row.draft is not None
    assert (row.draft.points, row.draft.question_text, row.draft.correct_answer) == (250, "Edited", {"value": "2"})


def test_what_gift_can_say_needs_no_remark() -> None:
    for path in sorted(DATA.glob("*.gift")):
        if path.stem in ("ours", "lost"):
            continue
        stored = [kept(row.draft) for row in read_gift(decode(path.read_bytes())) if row.draft is not None]
        assert "[lms:" not in write_gift(stored), path.stem


def test_other_programs_find_no_tags_in_our_remarks() -> None:
    stored = kept(draft(question_type="essay", question_text="Q", points=2, metadata={"a": "[tag:x] [id:y] [lms: {}]"}))
    written = write_gift([stored])
    assert not re.search(r"\[(tag|id):", written)
    assert_same([stored], again(written))


# --- texts ---

SIGNS = st.text(alphabet="ab1 \n\\`*_~[]()!#+-.=|:;/{}\"'", max_size=14)


@given(SIGNS, st.sampled_from(["moodle", "plain", "html"]))
def test_texts_look_in_markdown_as_they_were_meant(text: str, text_format: str) -> None:
    assert shown(to_markdown(hold(escape(text)), text_format)) == " ".join(text.split())


@given(st.text(alphabet="ab <>&;/!#=\"'", max_size=14))
def test_plain_texts_hold_no_html(text: str) -> None:
    assert shown(to_markdown(hold(escape(text)), "plain")) == " ".join(text.split())


@given(st.text())
def test_escaping_is_undone_by_reading(text: str) -> None:
    assert release(hold(escape(text))) == text.replace("\r\n", "\n").replace("\r", "\n")
    assert "\n" not in escape(text)


# --- hostile files ---


@given(st.text(alphabet="ab\n{}=~#:%->\\/$[]TF*1.", max_size=60))
def test_every_question_has_its_row(text: str) -> None:
    for row in read(text):
        assert (row.draft is None) == (row.status == "skipped")
        assert (row.reason is None) == (row.status == "imported")
        assert 1 <= row.line <= text.count("\n") + 1


PIECES = (
    "{\n\na\n\n",
    "a{=",
    "=a->b",
    "~a",
    "#",
    "::",
    "\\",
    "[lms:",
    "<!--",
    "<a ",
    "%",
    "_a",
    "a\n{",
    "\n \n",
    "*_`",
    "}\n",
)


def repeated(size: int) -> Iterator[str]:
    """Hostile files: one piece over and over, as a file, inside one question, inside remarks."""
    for piece in PIECES:
        yield piece * (size // len(piece))
        yield f"a{{{piece * (199_000 // len(piece))}}}"
        yield f"// [lms: {piece.replace(chr(10), '')}" * (size // (len(piece) + 9)) + "\na{T}"


@pytest.mark.parametrize("text", ["a{T}\n\n" * 2_001, "a\n" * 300_001])
def test_too_much_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        read(text)
    assert [(fault.field, fault.code) for fault in refused.value.fields] == [("file", "too_many")]


def test_the_work_grows_with_the_file_alone() -> None:
    """Not a measurement: something quadratic would take minutes on these sizes, and the suite's own limit ends it."""
    started = time.process_time()
    for text in repeated(400_000):
        with suppress(Refused):
            read(text)
    assert time.process_time() - started < 100
