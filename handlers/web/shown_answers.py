"""Answers as lines of words: what somebody chose, and what was right, for every type of question. Grades nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from handlers.web.translation import Translator
from lms_rt.contracts.numbers import decimal_text
from lms_rt.services.grading import is_empty

_PAIR = Markup(
    '{} <svg class="icon icon-mirrored" aria-hidden="true" focusable="false"><use href="#i-forward"/></svg> {}'
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an answer: words or HTML that our server rendered; `mark` is right, wrong, missed or nothing."""

    html: Markup
    mark: str = ""


@dataclass(frozen=True, slots=True)
class ShownQuestion:
    """A question of the results: the row of the view, what was answered, and, where allowed, what was right."""

    row: Mapping[str, Any]
    given: list[Line]
    right: list[Line]
    outcome: str


def shown_question(row: Mapping[str, Any], t: Translator) -> ShownQuestion:
    """The question with its answers in words."""
    keys = [key for key in (row.get("correct_answer"), *(row.get("also_accepted") or ())) if key]
    given = _lines(row, row.get("value"), t)
    right = [line for key in keys for line in _lines(row, _right_value(row["question_type"], key, t), t)]
    return ShownQuestion(row, given, right, _outcome(row))


def _outcome(row: Mapping[str, Any]) -> str:
    """right, wrong, part, empty, waiting, or hidden while the quiz does not tell."""
    if row["question_type"] == "description":
        return ""
    if row["points_awarded"] is None:
        return "waiting" if row["question_type"] == "essay" and not is_empty(row["value"]) else "hidden"
    if row["is_correct"]:
        return "right"
    if float(row["points_awarded"]) > 0:
        return "part"
    return "empty" if is_empty(row["value"]) else "wrong"


def _right_value(question_type: str, key: Mapping[str, Any], t: Translator) -> Any:
    """The value that a perfect answer has, or a list of texts where there are several."""
    if question_type == "multiple_choice":
        return key.get("option_id")
    if question_type == "multiple_select":
        return key.get("option_ids")
    if question_type == "true_false":
        return key.get("value")
    if question_type == "matching":
        return key.get("pairs")
    if question_type == "ordering":
        return key.get("sequence")
    return _accepted(key, t)


def _accepted(key: Mapping[str, Any], t: Translator) -> list[str]:
    rows = key.get("accepted") or ([key] if "value" in key else [])
    best = [row for row in rows if float(row.get("weight", 100) or 0) >= 100]
    if not best and "pattern" in key:
        return [str(key["pattern"])]
    return [str(row["text"]) if "text" in row else _number(row, t) for row in best or rows]


def _number(row: Mapping[str, Any], t: Translator) -> str:
    """A number and how near to it is near enough: in its own unit, in percent of it, or by its figures."""
    value, tolerance = str(row["value"]), Decimal(row.get("tolerance") or 0)
    if not tolerance:
        return value
    match row.get("tolerance_type"):
        case "significant_figures":
            return t("keys.figures", number=f"\u2066{value}\u2069", count=int(tolerance))
        case "relative":
            return t("keys.percent", number=value, percent=decimal_text(tolerance * 100))
    return f"{value} ± {decimal_text(tolerance)}"


def _lines(row: Mapping[str, Any], value: Any, t: Translator) -> list[Line]:
    if value in (None, "", [], {}):
        return []
    question_type, options = row["question_type"], row["options"]
    if question_type == "true_false":
        return [Line(Markup.escape(t("results.true" if value else "results.false")))]
    if question_type in {"multiple_choice", "multiple_select", "ordering"}:
        ids = value if isinstance(value, list) else [value]
        return [Line(_option(options, option_id)) for option_id in ids]
    if question_type == "matching":
        sides = {item["id"]: item for side in ("left", "right") for item in options[side]}
        return [Line(_PAIR.format(_item(sides, left), _item(sides, right))) for left, right in value.items()]
    texts = value if isinstance(value, list) else [value]
    return [Line(Markup('<span dir="auto">{}</span>').format(str(text))) for text in texts]


def _option(options: list[Mapping[str, Any]], option_id: str) -> Markup:
    return _item({option["id"]: option for option in options}, option_id)


def _item(items: Mapping[str, Mapping[str, Any]], item_id: str) -> Markup:
    item = items.get(item_id)
    if item is None:
        return Markup.escape(item_id)
    return Markup('<span class="inline-html" dir="auto">{}</span>').format(Markup(item["html"]))  # noqa: S704 - cleaned by services/rendering.py
