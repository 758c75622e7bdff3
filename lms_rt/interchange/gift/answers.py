"""What stands between the braces of a question: its kind, and the fields that this kind has. Escapes are held on the way in.

Options carry their position ("1", "2" …) as id for the time being; `reader.py` gives them ids of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Any

from lms_rt.contracts.numbers import decimal_text, read_number
from lms_rt.interchange.gift.escapes import SPACES, release
from lms_rt.interchange.gift.texts import split_format, to_markdown

Fields = dict[str, Any]
_EXACT = Context(prec=200)
_WEIGHT = re.compile(r"^%\s*(-?[0-9.,]{1,20})\s*%")
_TRUTHS = {"t": True, "true": True, "f": False, "false": False}
_GENERAL = re.compile(r"####(?!#)")
_RANGE = re.compile(r"^(.+?)\.\.(.+)$", re.DOTALL)


class GiftError(Exception):
    """A question cannot be read; the message says why, `question_type` of what kind it would have been."""

    question_type: str | None = None


@dataclass(slots=True)
class Answers:
    """What was read between the braces. `lost` says what was not kept."""

    question_type: str
    fields: Fields = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Row:
    """One answer of a list: its mark (`=`, `~` or none), weight in percent, text and feedback."""

    mark: str
    weight: str | None
    text: str
    feedback: str


def read_answers(held: str, text_format: str) -> Answers:
    """The kind and the fields of a question by what stands between its braces; GiftError when that makes no sense."""
    held, general = _split_general(held)
    body = held.strip(SPACES)
    read = _reader_of(body)
    try:
        answers = read(body, text_format)
    except GiftError as error:
        error.question_type = _kind(read, body)
        raise
    if explanation := _markdown(general, text_format):
        answers.fields["explanation"] = explanation
    return answers


def _split_general(held: str) -> tuple[str, str]:
    """The feedback for everybody stands behind `####`; a fifth `#` before it begins an empty feedback."""
    found = _GENERAL.search(held)
    return (held[: found.start()], held[found.end() :]) if found else (held, "")


def _reader_of(body: str) -> Callable[[str, str], Answers]:
    """Moodle's order of decisions."""
    if not body:
        return _essay
    if body.startswith("#"):
        return _numeric
    if "~" in body:
        return _choices
    if "=" in body and any("->" in text.partition("#")[0] for _, text in _pieces(body, "=")):
        return _matching
    if body.partition("#")[0].strip(SPACES).lower() in _TRUTHS:
        return _truth
    return _short_answer


def _kind(read: Callable[[str, str], Answers], body: str) -> str:
    if read is _choices:
        return "multiple_choice" if "=" in body else "multiple_select"
    kinds: dict[Callable[[str, str], Answers], str] = {_numeric: "numeric", _matching: "matching"}
    return kinds.get(read, "short_answer")


def _markdown(held: str, text_format: str) -> str:
    own_format, rest = split_format(held, text_format)
    return to_markdown(rest, own_format)


def _plain(held: str, text_format: str) -> str:
    """An answer that is compared, not shown: whatever format it names, it is the bare text."""
    return release(split_format(held, text_format)[1]).strip()


def _pieces(body: str, marks: str) -> Iterator[tuple[str, str]]:
    """The answers of a list with their marks; what stands before the first mark is an answer without one."""
    pieces = re.split(f"([{marks}])", body)
    for mark, piece in zip(["", *pieces[1::2]], pieces[::2], strict=True):
        text = piece.strip(SPACES)
        if mark or text:
            yield mark, text


def _rows(body: str, marks: str) -> Iterator[_Row]:
    """The same, each with its weight and feedback."""
    for mark, piece in _pieces(body, marks):
        weight, text = _split_weight(piece)
        text, _, feedback = text.partition("#")
        yield _Row(mark, weight, text, feedback)


def _split_weight(text: str) -> tuple[str | None, str]:
    found = _WEIGHT.match(text)
    if found is None:
        return None, text
    percent = read_number(found[1])
    if percent is None or abs(percent) > 100:
        raise GiftError(f"the weight {found[0]} is not a percentage from -100 to 100")
    return decimal_text(round(percent, 5)), text[found.end() :].strip(SPACES)


# --- one function per kind ---


def _essay(_body: str, _format: str) -> Answers:
    return Answers("essay")


def _truth(body: str, text_format: str) -> Answers:
    """Moodle's order: what is told to who is wrong comes first."""
    word, *feedbacks = body.split("#", 2)
    value = _TRUTHS[word.strip(SPACES).lower()]
    wrong, right = ([_markdown(one, text_format) for one in feedbacks] + ["", ""])[:2]
    key: Fields = {"value": value}
    if right:
        key["feedback_true" if value else "feedback_false"] = right
    if wrong:
        key["feedback_false" if value else "feedback_true"] = wrong
    return Answers("true_false", {"correct_answer": key})


def _choices(body: str, text_format: str) -> Answers:
    rows = list(_rows(body, "~="))
    options = [_option(place, row, text_format) for place, row in enumerate(rows, start=1)]
    is_single = any(row.mark == "=" for row in rows)
    answers = _single(rows, options) if is_single else _multiple(rows, options)
    if not rows[0].mark:
        answers.lost.append("the text before the first ~ or = was read as a wrong answer")
    answers.fields["options"] = options
    return answers


def _option(place: int, row: _Row, text_format: str) -> Fields:
    option: Fields = {"id": str(place), "text": _markdown(row.text, text_format)}
    if row.weight is not None:
        option["weight"] = row.weight
    if feedback := _markdown(row.feedback, text_format):
        option["feedback"] = feedback
    return option


def _single(rows: list[_Row], options: list[Fields]) -> Answers:
    """The first answer marked right is the key; another one is worth as much, or what it says."""
    worth = {
        place: Decimal(row.weight if row.weight is not None else 100 if row.mark == "=" else 0)
        for place, row in enumerate(rows)
    }
    key = max(worth, key=lambda place: (worth[place], rows[place].mark == "=", -place))
    if worth[key] <= 0:
        raise GiftError("no answer is worth anything")
    for place, row in enumerate(rows):
        if row.mark == "=" and row.weight is None and place != key:
            options[place]["weight"] = "100"
    return Answers("multiple_choice", {"correct_answer": {"option_id": str(key + 1)}})


def _multiple(rows: list[_Row], options: list[Fields]) -> Answers:
    right = [str(place) for place, row in enumerate(rows, start=1) if Decimal(row.weight or 0) > 0]
    if not right:
        raise GiftError("no answer is marked as right")
    for option in options:
        option.setdefault("weight", "0")
    return Answers("multiple_select", {"correct_answer": {"option_ids": right}, "partial_credit": True})


def _short_answer(body: str, text_format: str) -> Answers:
    accepted = []
    for row in _rows(body, "="):
        text = _plain(row.text, text_format)
        is_wildcard = "*" in text.replace(r"\*", "")
        made: Fields = {"text": text if is_wildcard else text.replace(r"\*", "*"), "is_wildcard": is_wildcard}
        if row.weight is not None:
            made["weight"] = row.weight
        if feedback := _markdown(row.feedback, text_format):
            made["feedback"] = feedback
        accepted.append(made)
    return Answers("short_answer", {"correct_answer": {"accepted": accepted}})


def _numeric(body: str, text_format: str) -> Answers:
    body, _, otherwise = body[1:].partition("~")
    key: Fields = {}
    accepted = []
    rows = list(_rows(body, "="))
    for row in rows:
        feedback = _markdown(row.feedback, text_format)
        if _plain(row.text, text_format) == "*":
            if Decimal(row.weight or 0) > 0:
                raise GiftError("any number (*) cannot be worth points")
            key["feedback_otherwise"] = feedback
            continue
        extra = {"weight": row.weight, "feedback": feedback}
        accepted.append(_number(_plain(row.text, text_format)) | {name: one for name, one in extra.items() if one})
    if told := _markdown(otherwise.partition("#")[2], text_format):
        key["feedback_otherwise"] = told
    if not accepted:
        raise GiftError("there is no number")
    is_bare = len(rows) == 1 and not rows[0].mark and accepted[0].keys() <= {"value", "tolerance"}
    key |= accepted[0] if is_bare else {"accepted": accepted}
    return Answers("numeric", {"correct_answer": {name: one for name, one in key.items() if one}})


def _number(text: str) -> Fields:
    """`value`, `value:tolerance` or `least..most`."""
    if found := _RANGE.match(text):
        least, most = sorted((_decimal(found[1]), _decimal(found[2])))
        middle = _EXACT.divide(_EXACT.add(least, most), Decimal(2))
        reach = _EXACT.divide(_EXACT.subtract(most, least), Decimal(2))
        return {"value": decimal_text(middle), "tolerance": decimal_text(reach)}
    value, colon, tolerance = text.partition(":")
    made = {"value": decimal_text(_decimal(value))}
    return made | {"tolerance": decimal_text(abs(_decimal(tolerance)))} if colon else made


def _decimal(text: str) -> Decimal:
    number = read_number(text)
    if number is None:
        raise GiftError(f"not a number: {text.strip()[:40]!r}")
    return number


def _matching(body: str, text_format: str) -> Answers:
    """Pairs have no weight and no feedback: what looks like one belongs to the text."""
    left: list[Fields] = []
    right: dict[str, str] = {}
    pairs: dict[str, str] = {}
    for mark, text in _pieces(body, "="):
        one, arrow, other = text.partition("->")
        if not arrow or not mark:
            raise GiftError(f"a pair needs = and ->: {release(text)[:40]!r}")
        answer = _markdown(other, text_format)
        if not answer:
            raise GiftError("a pair has nothing behind its ->")
        right_id = right.setdefault(answer, str(len(right) + 1))
        if asked := _markdown(one, text_format):
            left.append({"id": str(len(left) + 1), "text": asked})
            pairs[left[-1]["id"]] = right_id
    sides = {"left": left, "right": [{"id": right_id, "text": text} for text, right_id in right.items()]}
    return Answers("matching", {"options": sides, "correct_answer": {"pairs": pairs}})
