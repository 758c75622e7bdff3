"""Receipts without a server: the bytes that `docs/receipts.md` publishes, and that no edit of a receipt goes unseen."""

from __future__ import annotations

import copy
import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_rt.security.signing import SigningKey, to_text
from lms_rt.services.receipt_chain import (
    canonical,
    first_hash,
    next_hash,
    operations_of,
    signed_bytes,
    statement_of,
    value_digest,
)
from lms_rt.services.receipt_check import Finding, answer_findings, findings_of, keys_of

KEY, FORGER = SigningKey(b"0123456789abcdefghijklmnopqrstuv"), SigningKey(b"f" * 32)
KEYS = {KEY.key_id: KEY.public_key}
VALUES: tuple[Any, ...] = ("b", ["a", "d"], True, "١٢٫٥", {"left": "right"}, None, "c", 'say "no"\n\u2028\x7f')
AT = datetime(2026, 6, 21, 9, 0, tzinfo=UTC)


def receipt(attempt_id: str = "att_1", *, count: int = len(VALUES), key: SigningKey = KEY) -> dict[str, Any]:
    """A whole receipt of so many saves; one was overtaken."""
    marks: dict[str, list[Any]] = {"late": [2, "0" * 64, 1_000, True, "q1"]}
    for place in range(count):
        digest = value_digest(VALUES[place % len(VALUES)])
        marks[f"op-{place}"] = [place * 2 + 1, digest, 1_000 + place, False, f"q{place % 3}"]
    operations = operations_of(attempt_id, marks)
    attempt = {
        "_id": attempt_id,
        "attempt_number": 2,
        "is_preview": False,
        "started_at": AT,
        "student_id": "usr_1",
        "student_name": "سلمى حدّاد",
        "quiz_id": "qiz_1",
        "submitted_at": AT,
        "submitted_by": "deadline",
    }
    head = operations[-1]["hash"] if operations else first_hash(attempt_id)
    paper = {"title": "Midterm", "quiz_version": 3}
    statement = statement_of(attempt, paper, link=(len(operations), head), key_id=key.key_id)
    return {**statement, "operations": operations, "signature": to_text(key.sign(signed_bytes(statement)))}


def told(document: Any, **options: Any) -> set[tuple[str, int, int]]:
    return {(one.kind, one.first, one.last) for one in findings_of(document, KEYS, **options)}


def block(name: str) -> str:
    """A marked block of the published rules."""
    text = Path("docs/receipts.md").read_text()
    found = re.search(rf"```(?:json|text) {name}\n(.*?)\n```", text, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_published_example_holds_by_the_published_rules() -> None:
    """Made again here from the words of the page alone, by nothing of ours."""
    example, keys = orjson.loads(block("receipt")), keys_of(orjson.loads(block("keys")))
    assert findings_of(example, keys) == []
    assert signed_bytes(example).decode() == block("signed")
    before = hashlib.sha256(b"att_example").hexdigest()
    for operation, value in zip(example["operations"], ('"b"', '["a","d"]', '"c"'), strict=True):
        digest = hashlib.sha256(value.encode()).hexdigest()
        fields = (before, operation["op_id"], operation["question_id"], digest, str(operation["saved_at_ms"]))
        before = hashlib.sha256("\n".join(fields).encode()).hexdigest()
        assert operation["hash"] == before
    assert example["head"] == before
    assert example["key_id"] == next(iter(keys)) == hashlib.sha256(keys[example["key_id"]]).hexdigest()[:16]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": "1", "a": ["x"], "B": None}, '{"B":null,"a":["x"],"b":"1"}'),
        ('\u0000\b\t\n\f\r"\\/\x7f\u2028é€😀', '"\\u0000\\b\\t\\n\\f\\r\\"\\\\/\x7f\u2028é€😀"'),
        (True, "true"),
        (12, "12"),
    ],
)
def test_canonical_json_has_one_spelling(value: Any, text: str) -> None:
    assert canonical(value).decode() == text


def test_overtaken_operations_are_no_links() -> None:
    names = [operation["op_id"] for operation in receipt()["operations"]]
    assert names == [f"op-{place}" for place in range(len(VALUES))]


@pytest.mark.parametrize("count", [0, 1, 2, 8])
def test_a_receipt_holds_as_it_was_made_and_in_another_spelling(count: int) -> None:
    whole = receipt(count=count)
    assert told(whole, attempt_id="att_1") == set()
    assert told(orjson.loads(orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))) == set()
    assert told({"success": True, "message": "", "data": whole, "meta": {}}) == set(), "in an envelope"


def changed(path: str, value: Any) -> dict[str, Any]:
    """The receipt with one member changed."""
    document = copy.deepcopy(receipt())
    *way, name = path.split(".")
    place: Any = document
    for step in way:
        place = place[int(step) if isinstance(place, list) else step]
    place[name] = value
    return document


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("operations.3.value_sha256", "0" * 64),
        ("operations.3.saved_at_ms", 1_004),
        ("operations.3.question_id", "q1"),
        ("operations.3.op_id", "op-x"),
    ],
)
def test_a_changed_operation_is_named(path: str, value: Any) -> None:
    assert told(changed(path, value)) == {("changed", 4, 4)}


def test_a_changed_hash_is_named_with_the_one_that_no_longer_follows() -> None:
    assert told(changed("operations.3.hash", "0" * 64)) == {("changed", 4, 4), ("changed", 5, 5)}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("student.full_name", "Somebody else"),
        ("student.id", "usr_2"),
        ("attempt.number", 3),
        ("attempt.is_preview", True),
        ("attempt.started_at", "2026-06-21T08:00:00.000Z"),
        ("quiz.title", "Final"),
        ("quiz.version", 4),
        ("closed_at", "2026-06-21T09:00:00.001Z"),
        ("closed_by", "student"),
        ("signature", to_text(bytes(64))),
    ],
)
def test_what_is_signed_cannot_be_changed(path: str, value: Any) -> None:
    assert told(changed(path, value)) == {("signature", 0, 0)}


def test_a_head_of_another_chain_is_told() -> None:
    assert told(changed("head", "0" * 64)) == {("head_differs", 0, 0), ("signature", 0, 0)}
    other = receipt(count=7)
    for n, operation in enumerate(other["operations"]):  # a forger who follows the rules, but cannot sign
        operation["value_sha256"] = value_digest("b")
        before = other["operations"][n - 1]["hash"] if n else first_hash("att_1")
        values = {"digest": operation["value_sha256"], "saved_at_ms": operation["saved_at_ms"]}
        operation["hash"] = next_hash(before, operation["op_id"], operation["question_id"], **values)
    assert told(other) == {("head_differs", 0, 0)}


def test_what_was_taken_out_is_named() -> None:
    cut, holed, beheaded = receipt(), receipt(), receipt()
    del cut["operations"][5:]
    assert told(cut) == {("tail_missing", 6, 8)}
    del holed["operations"][2:4]
    assert told(holed) == {("missing", 3, 4)}
    del beheaded["operations"][0]
    assert told(beheaded) == {("missing", 1, 1)}
    renumbered = receipt()
    del renumbered["operations"][2]
    for n, operation in enumerate(renumbered["operations"], 1):
        operation["n"] = n
    assert told(renumbered) == {("changed", 3, 3), ("tail_missing", 8, 8)}


def test_another_order_is_named() -> None:
    swapped, doubled, longer = receipt(), receipt(), receipt()
    rows = swapped["operations"]
    rows[2], rows[3] = rows[3], rows[2]
    assert told(swapped) == {("moved", 3, 3)}
    doubled["operations"].insert(4, doubled["operations"][1])
    assert told(doubled) == {("moved", 2, 2)}
    longer["operations"].append({**longer["operations"][-1], "n": 9})
    assert told(longer) == {("changed", 9, 9), ("surplus", 9, 9)}


def test_a_foreign_receipt_is_told() -> None:
    assert findings_of(receipt("att_2"), KEYS, attempt_id="att_1") == [Finding("other_attempt", place="att_2")]
    assert told(receipt(key=FORGER)) == {("key_unknown", 0, 0)}
    named = receipt(key=FORGER) | {"key_id": KEY.key_id}
    assert told(named) == {("signature", 0, 0)}
    mixed = receipt()
    mixed["operations"][3] = receipt("att_2")["operations"][3]
    assert told(mixed) == {("changed", 4, 4), ("changed", 5, 5)}


NOT_RECEIPTS: tuple[tuple[Any, str], ...] = (
    (None, ""),
    ([], ""),
    ({}, "format"),
    ({**receipt(), "format": "lms-receipt/2"}, "format"),
    ({**receipt(), "points": "100"}, "points"),
    (changed("operations.2.n", "3"), "operations.2.n"),
    (changed("operations.2.n", 3.0), "operations.2.n"),
    (changed("operations.2.op_id", "a\nb"), "operations.2.op_id"),
    (changed("operations.2.more", 1), "operations.2.more"),
    (changed("attempt.is_preview", 0), "attempt.is_preview"),
    (changed("student.full_name", None), "student.full_name"),
    (changed("head", "B" * 64), "head"),
    (changed("operations_count", -1), "operations_count"),
)


@pytest.mark.parametrize(("document", "place"), NOT_RECEIPTS)
def test_what_is_no_receipt_is_told_with_the_place(document: Any, place: str) -> None:
    assert findings_of(document, KEYS) == [Finding("not_receipt", place=place)]


def test_a_key_under_another_name_is_no_key() -> None:
    row = {"key_id": KEY.key_id, "algorithm": "Ed25519", "public_key": to_text(FORGER.public_key)}
    assert keys_of({"format": "lms-receipt-keys/1", "keys": [row]}) == {}
    with pytest.raises(ValueError, match="keys"):
        keys_of({"format": "lms-receipt-keys/1"})


def test_answers_are_held_against_the_last_operation_of_each_question() -> None:
    whole = receipt(count=4)  # q0: "b", then the text in Arabic digits; q1: ["a", "d"]; q2: true
    answers = {"q0": "١٢٫٥", "q1": ["a", "d"], "q2": True}
    assert answer_findings(whole, answers) == []
    assert answer_findings(whole, {**answers, "q0": "b"}) == [Finding("answer_differs", place="q0")]
    assert answer_findings(whole, {**answers, "q1": ["d", "a"]}) == [Finding("answer_differs", place="q1")]
    assert answer_findings(whole, {**answers, "q9": "x"}) == [Finding("answer_differs", place="q9")]
    assert answer_findings(whole, {"q0": "١٢٫٥", "q2": True}) == [Finding("answer_missing", place="q1")]


SMALL = receipt(count=5)


def _leaves(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    below = [leaf for name, value in items for leaf in _leaves(value, (*path, name))]
    return below or [path]


def _edited(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    edited = copy.deepcopy(document)
    place = edited
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return edited


_JSON = (
    st.none()
    | st.booleans()
    | st.integers(-5, 10**13)
    | st.text(max_size=8)
    | st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
)


@given(path=st.sampled_from(_leaves(SMALL)), value=_JSON)
def test_no_edit_of_any_member_goes_unseen(path: tuple[Any, ...], value: Any) -> None:
    edited = _edited(SMALL, path, value)
    assert bool(findings_of(edited, KEYS)) is (canonical(edited) != canonical(SMALL))


@given(order=st.lists(st.integers(0, 4), max_size=7), is_renumbered=st.booleans())
def test_no_other_order_choice_or_number_of_operations_goes_unseen(order: list[int], is_renumbered: bool) -> None:
    edited = copy.deepcopy(SMALL)
    edited["operations"] = [dict(SMALL["operations"][place]) for place in order]
    if is_renumbered:
        for n, operation in enumerate(edited["operations"], 1):
            operation["n"] = n
    assert bool(findings_of(edited, KEYS)) is (order != [0, 1, 2, 3, 4])
