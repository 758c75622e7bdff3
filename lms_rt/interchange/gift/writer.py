"""From questions to a GIFT file that `reader.py` reads back to the same questions.

Each question is written, read back, and compared: whatever GIFT could not say goes into its `[lms: {…}]` comment.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from lms_rt.contracts.numbers import decimal_text
from lms_rt.contracts.questions import StoredQuestion, draft_of, stored_question
from lms_rt.interchange.gift.annotations import differences, option_ids, positions, with_ids, write_annotations
from lms_rt.interchange.gift.answers import Fields
from lms_rt.interchange.gift.escapes import escape, hold
from lms_rt.interchange.gift.reader import read_gift
from lms_rt.interchange.gift.texts import split_format, to_markdown

_MADE_ID = re.compile(r"^opt_[A-Za-z0-9_-]{12}$")
_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_WIDE = Context(prec=60)
_ROOT_CATEGORY = "$course$/top"


def write_gift(questions: Iterable[StoredQuestion]) -> str:
    """The file. Questions keep their order; a category is named where it changes."""
    parts: list[str] = []
    category: str | None = None
    for stored in questions:
        if stored.get("category") != category:
            category = stored.get("category")
            parts.append(_category_line(category))
        parts.append(_question(stored))
    return "\n\n".join(parts) + "\n" if parts else ""


def _category_line(category: str | None) -> str:
    return f"$CATEGORY: {' '.join(category.split()) if category else _ROOT_CATEGORY}"


def _question(stored: StoredQuestion) -> str:
    ids = option_ids(stored)
    wanted = with_ids(draft_of(stored), positions(ids))
    body = _body(wanted)
    metadata = wanted.get("metadata", {})
    idnumber = metadata.get("idnumber") if isinstance(metadata.get("idnumber"), str) else None
    lms: Fields = {"type": "ordering"} if wanted["question_type"] == "ordering" else {}

    def written() -> list[str]:
        return [*write_annotations(idnumber, wanted["tags"], lms), body]

    found = _read_back([_category_line(wanted.get("category")), *written()])
    if found is None or found["question_type"] != wanted["question_type"]:
        lms = {"question": with_ids(wanted, ids)}
        return "\n".join(written())
    if changes := dict(differences(wanted, found)):
        lms["set"] = changes
    if not all(_MADE_ID.match(one) for one in _flat(ids)):
        lms["ids"] = ids
    return "\n".join(written())


def _flat(ids: Any) -> list[str]:
    return [one for side in ids.values() for one in side] if isinstance(ids, Mapping) else list(ids)


def _read_back(lines: list[str]) -> Fields | None:
    """What the reader makes of it, in the form in which it would be stored; None when it cannot read it."""
    number = itertools.count()
    rows = read_gift("\n".join(lines), make_id=lambda: f"new{next(number)}")
    if len(rows) != 1 or rows[0].draft is None or "[lms:" in (rows[0].reason or ""):
        return None
    made = draft_of(stored_question(rows[0].draft, question_id="", at=_ANY_TIME))
    return with_ids(made, positions(option_ids(made)))


# --- the text of one question ---


class _Writing:
    """How the texts of one question are written: without a format where that reads back the same, else as Markdown."""

    def __init__(self, question: Fields) -> None:
        self.is_markdown = any(to_markdown(hold(escape(text)), "moodle") != text for text in _texts(question))

    def shown(self, text: str) -> str:
        """A text that is shown."""
        return f"[markdown]{escape(text)}" if split_format(text, "")[0] else escape(text)

    def stem(self, text: str) -> str:
        """The text of the question, which tells the format of all others."""
        is_plain = not self.is_markdown and not split_format(text, "")[0] and not text.lstrip().startswith("//")
        return escape(text) if is_plain else f"[{'markdown' if self.is_markdown else 'moodle'}]{escape(text)}"

    def compared(self, text: str) -> str:
        """A text that answers are compared with."""
        return f"[plain]{escape(text)}" if split_format(text, "")[0] else escape(text)

    def feedback(self, row: Mapping[str, Any], name: str = "feedback") -> str:
        """`#` and the feedback, if there is any."""
        return f"#{self.shown(row[name])}" if row.get(name) else ""


def _texts(question: Fields) -> Iterable[str]:
    """All texts of a question that are shown."""
    options, key = question.get("options") or [], question.get("correct_answer") or {}
    rows = [*options["left"], *options["right"]] if isinstance(options, dict) else options
    rows = [*rows, *key.get("accepted", ())]
    yield question["question_text"]
    yield question.get("explanation", "")
    for row in [*options["left"], *options["right"]] if isinstance(options, dict) else options:
        yield row["text"]
    for row in rows:
        yield row.get("feedback", "")
    for name in ("feedback_true", "feedback_false", "feedback_otherwise"):
        yield key.get(name, "")


def _body(question: Fields) -> str:
    writing = _Writing(question)
    title = f"::{escape(question['title'])}::" if question.get("title") else ""
    stem = f"{title}{writing.stem(question['question_text'])}"
    if question["question_type"] == "description":
        return stem
    lines = _WRITERS[question["question_type"]](question, writing)
    if question.get("explanation"):
        lines.append(f"####{writing.shown(question['explanation'])}")
    if not lines:
        return f"{stem}{{}}"
    if len(lines) == 1 and not lines[0].startswith(("=", "~")):
        return f"{stem}{{{lines[0]}}}"
    return "\n".join([f"{stem}{{", *(f"\t{line}" for line in lines), "}"])


def _weight(weight: str, usual: str = "100.00") -> str:
    return "" if weight == usual else f"%{decimal_text(Decimal(weight))}%"


def _essay(_question: Fields, _writing: _Writing) -> list[str]:
    return []


def _truth(question: Fields, writing: _Writing) -> list[str]:
    key = question["correct_answer"]
    names = ("feedback_false", "feedback_true") if key["value"] else ("feedback_true", "feedback_false")
    wrong, right = (writing.feedback(key, name) for name in names)
    return [f"{'TRUE' if key['value'] else 'FALSE'}{wrong or ('#' if right else '')}{right}"]


def _choice(question: Fields, writing: _Writing) -> list[str]:
    key = question["correct_answer"]["option_id"]
    return [
        f"{'=' if one['id'] == key else '~'}{_guarded(_option_weight(one, is_key=one['id'] == key), writing, one)}"
        for one in question["options"]
    ]


def _option_weight(option: Fields, *, is_key: bool) -> str:
    weight = option.get("weight")
    if weight is None or (is_key and Decimal(weight) <= 0):
        return ""
    return _weight(weight, "100.00" if is_key else "")


def _guarded(weight: str, writing: _Writing, option: Fields) -> str:
    """A text that begins with a percent sign needs a weight before it."""
    text = writing.shown(option["text"])
    is_weightlike = not weight and text.startswith("%")
    return f"{'[markdown]' if is_weightlike else weight}{text}{writing.feedback(option)}"


def _select(question: Fields, writing: _Writing) -> list[str]:
    """GIFT knows sums of weights alone: all or nothing is told by taking the points of a wrong one away."""
    right = question["correct_answer"]["option_ids"]
    part = decimal_text(round(Decimal(100) / len(right), 5))
    return [
        f"~%{decimal_text(Decimal(one['weight'])) if 'weight' in one else part if one['id'] in right else '-100'}%"
        f"{writing.shown(one['text'])}{writing.feedback(one)}"
        for one in question["options"]
    ]


def _short_answer(question: Fields, writing: _Writing) -> list[str]:
    lines = []
    for row in question["correct_answer"]["accepted"]:
        text = row["text"] if row["is_wildcard"] else row["text"].replace("*", r"\*")
        weight = "%100%" if row["weight"] == "100.00" and text.startswith("%") else _weight(row["weight"])
        lines.append(f"={weight}{writing.compared(text)}{writing.feedback(row)}")
    return lines


def _numeric(question: Fields, writing: _Writing) -> list[str]:
    key = question["correct_answer"]
    if "accepted" not in key and not key.get("feedback_otherwise"):
        return [f"#{_number(key)}"]
    rows = key.get("accepted") or [key]
    lines = ["#"]
    lines += [f"={_weight(row.get('weight', '100.00'))}{_number(row)}{writing.feedback(row)}" for row in rows]
    if key.get("feedback_otherwise"):
        lines.append(f"=%0%*{writing.feedback(key, 'feedback_otherwise')}")
    return lines


def _number(row: Mapping[str, Any]) -> str:
    """The value with an absolute tolerance that comes nearest to its own."""
    value, tolerance = Decimal(row["value"]), Decimal(row.get("tolerance", "0"))
    match row.get("tolerance_type", "absolute"):
        case "relative":
            tolerance = _WIDE.multiply(tolerance, abs(value))
        case "significant_figures":
            rounded = Context(prec=int(tolerance), rounding=ROUND_HALF_UP).plus(value)
            tolerance = Decimal(5).scaleb(rounded.adjusted() - int(tolerance))
    return f"{decimal_text(value)}:{decimal_text(tolerance)}" if "tolerance" in row else decimal_text(value)


def _matching(question: Fields, writing: _Writing) -> list[str]:
    pairs, sides = question["correct_answer"]["pairs"], question["options"]
    texts = {item["id"]: writing.shown(item["text"]) for item in sides["right"]}
    lines = [f"={writing.shown(item['text'])} -> {texts[pairs[item['id']]]}" for item in sides["left"]]
    return lines + [f"= -> {text}" for one, text in texts.items() if one not in pairs.values()]


def _ordering(question: Fields, writing: _Writing) -> list[str]:
    places = {one: place for place, one in enumerate(question["correct_answer"]["sequence"], start=1)}
    return [f"={writing.shown(item['text'])} -> {places[item['id']]}" for item in question["options"]]


_WRITERS: Mapping[str, Callable[[Fields, _Writing], list[str]]] = {
    "multiple_choice": _choice,
    "multiple_select": _select,
    "true_false": _truth,
    "short_answer": _short_answer,
    "numeric": _numeric,
    "matching": _matching,
    "ordering": _ordering,
    "essay": _essay,
}
