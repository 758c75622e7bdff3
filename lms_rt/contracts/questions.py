"""Questions as they cross a border: draft, change, the author's view, and the student's, which holds no key.

Also the way between these and the stored form. Answers are in `answers.py`, the parts of a question in `question_keys.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from documents.enums import QuestionType
from lms_rt import ids
from lms_rt.contracts.base import (
    Change,
    Draft,
    Hundredths,
    HundredthsIn,
    Instant,
    Metadata,
    View,
    check_line,
    read_model,
)
from lms_rt.contracts.corrected import CorrectionWord, ShownCorrection, corrections_in, shown_correction
from lms_rt.contracts.question_keys import (
    KeyModel,
    OptionDraft,
    Options,
    PairsDraft,
    StoredQuestion,
    Weight,
    read_key,
    read_options,
)
from lms_rt.contracts.rubrics import RubricDraft, RubricView, check_rubric, rubric_json

__all__ = [
    "AttemptQuestionView",
    "QuestionChange",
    "QuestionDraft",
    "QuestionView",
    "StoredQuestion",
    "attempt_question_view",
    "changed_question",
    "draft_of",
    "is_counted",
    "new_option_id",
    "question_view",
    "stored_question",
]

Render = Callable[[str], str]
QuestionText = Annotated[str, StringConstraints(min_length=1, max_length=20_000, pattern=r"\S")]
QuestionTitle = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(check_line)]
Explanation = Annotated[str, StringConstraints(max_length=20_000)]
Category = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200), AfterValidator(check_line)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50), AfterValidator(check_line)]
Tags = Annotated[list[Tag], Field(max_length=30)]
Points = Annotated[HundredthsIn, Field(ge=0, le=1_000_000)]
Order = Annotated[int, Field(ge=1, le=100_000)]


class QuestionDraft(Draft):
    """A question to be made. Ids of options may be given, else they are made; `order` is the place in the quiz, from 1.

    `partial_credit` is, when left out, true for matching, ordering and a weighted multiple_select.
    """

    question_type: QuestionType
    question_text: QuestionText
    title: QuestionTitle | None = None
    points: Points | None = None
    options: Any = Field(default=None, validate_default=True)
    """A list of `OptionDraft`, for a matching a `PairsDraft`, else None."""
    correct_answer: Any = Field(default=None, validate_default=True)
    partial_credit: bool | None = None
    explanation: Explanation | None = None
    category: Category | None = None
    tags: Tags = Field(default_factory=list)
    order: Order | None = None
    rubric: RubricDraft | None = None
    """Of an essay. Where no points are given they are those of its best levels."""
    metadata: Metadata = Field(default_factory=dict)

    @field_validator("points")
    @classmethod
    def _check_points(cls, points: int | None, info: ValidationInfo) -> int | None:
        if points and info.data.get("question_type") == QuestionType.DESCRIPTION:
            raise PydanticCustomError("no_points", "A description has no points")
        return points

    @field_validator("rubric")
    @classmethod
    def _check_rubric(cls, rubric: RubricDraft | None, info: ValidationInfo) -> RubricDraft | None:
        if {"question_type", "points"} <= info.data.keys():
            check_rubric(rubric, info.data["question_type"], info.data["points"])
        return rubric

    @field_validator("options", mode="plain", json_schema_input_type=Options)
    @classmethod
    def _read_options(cls, value: Any, info: ValidationInfo) -> Options:
        question_type = info.data.get("question_type")
        return read_options(question_type, _as_plain(value)) if question_type else None

    @field_validator("correct_answer", mode="plain", json_schema_input_type=KeyModel | None)
    @classmethod
    def _read_key(cls, value: Any, info: ValidationInfo) -> dict[str, Any] | None:
        question_type = info.data.get("question_type")
        if not question_type or "options" not in info.data:
            return None
        return read_key(question_type, value, info.data["options"])


def _as_plain(value: Any) -> Any:
    """Models of options, when code hands them over, as the JSON values that clients send."""
    if isinstance(value, list):
        return [option.model_dump() if isinstance(option, OptionDraft) else option for option in value]
    return value.model_dump() if isinstance(value, PairsDraft) else value


class QuestionChange(Change):
    """A partial update. What is sent replaces the field; the whole is checked as a draft would be."""

    read_only: ClassVar[frozenset[str]] = frozenset(
        {"id", "quiz_id", "question_html", "options_html", "version", "created_at", "updated_at"}
        | {"corrections", "also_accepted", "regrade_offered"}
    )

    question_type: QuestionType | None = None
    question_text: QuestionText | None = None
    title: QuestionTitle | None = None
    points: Points | None = None
    options: Any = Field(default=None, json_schema_extra={"description": "As in a draft."})
    correct_answer: Any = Field(default=None, json_schema_extra={"description": "As in a draft."})
    partial_credit: bool | None = None
    explanation: Explanation | None = None
    category: Category | None = None
    tags: Tags | None = None
    order: Order | None = None
    rubric: RubricDraft | None = None
    metadata: Metadata | None = None


# --- views ---


class OptionView(View):
    """An option as its author sees it."""

    id: str
    text: str
    weight: Weight | None = None
    feedback: str | None = None


class ItemView(View):
    """An item of a matching as its author sees it."""

    id: str
    text: str


class PairsView(View):
    """The two sides of a matching as their author sees them."""

    left: list[ItemView]
    right: list[ItemView]


class QuestionView(View):
    """A question as its author sees it. `options_html` has the options' texts as students see them, in the same places."""

    id: str
    quiz_id: str
    order: int
    title: str | None
    question_text: str
    question_html: str
    question_type: QuestionType
    points: Hundredths
    explanation: str | None
    category: str | None
    tags: list[str]
    options: list[OptionView] | PairsView
    options_html: list[str] | dict[Literal["left", "right"], list[str]]
    correct_answer: dict[str, Any] | None
    partial_credit: bool
    rubric: RubricView | None
    corrections: list[CorrectionWord]
    also_accepted: list[dict[str, Any]]
    regrade_offered: bool = False
    metadata: dict[str, Any]
    version: int
    created_at: Instant
    updated_at: Instant


class ShownOption(View):
    """An option, or an item, as a student sees it."""

    id: str
    text: str
    html: str


class ShownPairs(View):
    """The two sides of a matching as a student sees them."""

    left: list[ShownOption]
    right: list[ShownOption]


class AttemptQuestionView(View):
    """A question inside an attempt, as the student sees it: no key, weight, feedback, explanation, title or tag."""

    id: str
    order: int
    question_html: str
    question_text: str
    question_type: QuestionType
    points: Hundredths
    options: list[ShownOption] | ShownPairs
    correction: ShownCorrection | None = Field(default=None, exclude_if=lambda word: word is None)


def question_view(stored: StoredQuestion, *, quiz_id: str, order: int, render: Render) -> QuestionView:
    """The author's view of a stored question."""
    return QuestionView(
        id=stored["id"],
        quiz_id=quiz_id,
        order=order,
        title=stored.get("title"),
        question_text=stored["question_text"],
        question_html=render(stored["question_text"]),
        question_type=QuestionType(stored["question_type"]),
        points=stored["points"],
        explanation=stored.get("explanation"),
        category=stored.get("category"),
        tags=stored["tags"],
        options=stored.get("options", []),
        options_html=_rendered(stored.get("options", []), render),
        correct_answer=stored.get("correct_answer"),
        partial_credit=stored["partial_credit"],
        rubric=stored.get("rubric"),
        corrections=corrections_in(stored),
        also_accepted=stored.get("also_accepted", []),
        metadata=stored.get("metadata", {}),
        version=stored["version"],
        created_at=stored["created_at"],
        updated_at=stored["updated_at"],
    )


def _rendered(options: Any, render: Render) -> Any:
    if isinstance(options, dict):
        return {side: _rendered(items, render) for side, items in options.items()}
    return [render(one["text"]) for one in options]


def attempt_question_view(stored: StoredQuestion, *, order: int, render: Render) -> AttemptQuestionView:
    """The student's view, options in the order in which `stored` has them.

    Whoever makes a paper shuffles the items of an ordering and the right side of a matching, whatever the quiz says:
    their stored order is the key.
    """
    options: Any = stored.get("options", [])
    shown: list[ShownOption] | ShownPairs
    if isinstance(options, dict):
        shown = ShownPairs(left=_shown(options["left"], render), right=_shown(options["right"], render))
    else:
        shown = _shown(options, render)
    return AttemptQuestionView(
        id=stored["id"],
        order=order,
        question_html=render(stored["question_text"]),
        question_text=stored["question_text"],
        question_type=QuestionType(stored["question_type"]),
        points=stored["points"],
        options=shown,
        correction=shown_correction(stored),
    )


def _shown(options: list[dict[str, Any]], render: Render) -> list[ShownOption]:
    return [ShownOption(id=one["id"], text=one["text"], html=render(one["text"])) for one in options]


def is_counted(stored: StoredQuestion) -> bool:
    """Does it ask for an answer? A description is text between questions, in no count."""
    return stored["question_type"] != QuestionType.DESCRIPTION


# --- to and from the stored form ---


def new_option_id() -> str:
    """A random id: one made in the order of the options would tell the key of an ordering."""
    return f"opt_{ids.random_token(9)}"


def stored_question(draft: QuestionDraft, *, question_id: str, at: datetime, version: int = 1) -> StoredQuestion:
    """The stored form of a draft: ids made where none were given, the key derived where it was left out."""
    question_type = QuestionType(draft.question_type)
    options = _stored_options(draft.options)
    key = draft.correct_answer if draft.correct_answer is not None else _derived_key(question_type, options)
    default_points = 0 if question_type == QuestionType.DESCRIPTION else 100
    if draft.rubric is not None:
        default_points = draft.rubric.points
    made: dict[str, Any] = {
        "id": question_id,
        "question_type": question_type.value,
        "question_text": draft.question_text,
        "points": default_points if draft.points is None else draft.points,
        "partial_credit": _partial_credit(draft),
        "tags": list(dict.fromkeys(draft.tags)),
        "version": version,
        "created_at": at,
        "updated_at": at,
        "title": draft.title or None,
        "explanation": draft.explanation or None,
        "category": draft.category or None,
        "options": options,
        "correct_answer": key,
        "rubric": None if draft.rubric is None else draft.rubric.stored(new_option_id),
        "metadata": draft.metadata or None,
    }
    return cast("StoredQuestion", {name: value for name, value in made.items() if value is not None})


def changed_question(stored: StoredQuestion, change: QuestionChange, *, at: datetime) -> StoredQuestion:
    """`stored` with what the change gives, checked as a whole; its version is moved. Refused with exact fields."""
    merged = draft_of(stored) | {name: _json(name, value) for name, value in change.given().items()}
    if "question_type" in change.model_fields_set and change.question_type != stored["question_type"]:
        _drop_what_fits_no_more(merged, change)
    if change.rubric is not None and change.points is None:
        merged.pop("points", None)
    merged = {name: value for name, value in merged.items() if value is not None}
    draft = read_model(QuestionDraft, merged)
    made = stored_question(draft, question_id=stored["id"], at=at, version=stored["version"] + 1)
    made["created_at"] = stored["created_at"]
    return made


def _drop_what_fits_no_more(merged: dict[str, Any], change: QuestionChange) -> None:
    """Another type has other options and another key; what was not sent for it goes."""
    for name in ("options", "correct_answer", "partial_credit", "rubric"):
        if name not in change.model_fields_set:
            merged.pop(name, None)
    if change.question_type == QuestionType.DESCRIPTION and "points" not in change.model_fields_set:
        merged.pop("points", None)


def draft_of(stored: StoredQuestion) -> dict[str, Any]:
    """The JSON values from which `QuestionDraft` makes the same question again."""
    names = (*QuestionDraft.model_fields,)
    plain: dict[str, Any] = {name: stored[name] for name in names if name in stored}  # type: ignore[literal-required]
    return plain | {name: _json(name, plain[name]) for name in ("points", "rubric") if name in plain}


def _json(name: str, value: Any) -> Any:
    if name == "rubric":
        return rubric_json(value)
    return f"{value // 100}.{value % 100:02d}" if name == "points" and value is not None else value


def _stored_options(options: Options) -> Any:
    if options is None:
        return None
    if isinstance(options, PairsDraft):
        return {
            side: [{"id": item.id or new_option_id(), "text": item.text} for item in items]
            for side, items in (("left", options.left), ("right", options.right))
        }
    return [{**option.model_dump(exclude_none=True), "id": option.id or new_option_id()} for option in options]


def _derived_key(question_type: str, options: Any) -> dict[str, Any] | None:
    match question_type:
        case QuestionType.ORDERING:
            return {"sequence": [option["id"] for option in options]}
        case QuestionType.MATCHING:
            pairs = zip(options["left"], options["right"], strict=False)
            return {"pairs": {left["id"]: right["id"] for left, right in pairs}}
        case QuestionType.MULTIPLE_CHOICE:
            return {"option_id": next(one["id"] for one in options if float(one.get("weight", 0)) == 100)}
        case QuestionType.MULTIPLE_SELECT:
            return {"option_ids": [one["id"] for one in options if float(one.get("weight", 0)) > 0]}
    return None


def _partial_credit(draft: QuestionDraft) -> bool:
    if draft.partial_credit is not None:
        return draft.partial_credit
    if draft.question_type == QuestionType.MULTIPLE_SELECT and isinstance(draft.options, list):
        return any(option.weight is not None for option in draft.options)
    return draft.question_type in (QuestionType.MATCHING, QuestionType.ORDERING)
