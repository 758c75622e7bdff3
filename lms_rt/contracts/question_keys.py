"""What a question is made of: options, the shape of `correct_answer` for each type, and how a question is stored.

Checks name the exact field (`correct_answer.option_ids.0`). Grading is not here: `services/grading.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import re2
from pydantic import BeforeValidator, Field, StringConstraints, ValidationError, WithJsonSchema, field_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from documents.enums import QuestionType
from lms_rt.contracts.base import Draft, Key
from lms_rt.contracts.numbers import decimal_text, read_number

MAX_OPTIONS = 100
OptionText = Annotated[str, StringConstraints(min_length=1, max_length=5_000, pattern=r"\S")]
Feedback = Annotated[str, StringConstraints(max_length=5_000)]
AcceptedText = Annotated[str, StringConstraints(min_length=1, max_length=1_000, pattern=r"\S")]
PatternText = Annotated[str, StringConstraints(min_length=1, max_length=500)]
ToleranceType = Literal["absolute", "relative", "significant_figures"]


class StoredQuestion(TypedDict):
    """A question inside its quiz's document, and inside an attempt's paper. What is null is left out.

    `points` are hundredths; `options` a list of `{id, text, weight?, feedback?}`, for matching `{left, right}` of
    `{id, text}`, else absent; `correct_answer` as its key model dumps it, weights and numbers as decimal texts. The last four
    are what corrections say: out of what counts, all points to everybody, further keys, another wording.
    """

    id: str
    question_type: str
    question_text: str
    points: int
    partial_credit: bool
    tags: list[str]
    version: int
    created_at: datetime
    updated_at: datetime
    title: NotRequired[str]
    explanation: NotRequired[str]
    category: NotRequired[str]
    options: NotRequired[Any]
    correct_answer: NotRequired[dict[str, Any]]
    rubric: NotRequired[dict[str, Any]]
    metadata: NotRequired[dict[str, Any]]
    is_void: NotRequired[bool]
    is_full_credit: NotRequired[bool]
    also_accepted: NotRequired[list[dict[str, Any]]]
    is_changed: NotRequired[bool]


# --- field types ---


def _to_weight(value: Any) -> str:
    number = read_number(value)
    if number is None:
        raise PydanticCustomError("decimal_type", "Input should be a number or a decimal string")
    if abs(number) > 100:
        raise PydanticCustomError("out_of_range", "A weight is a percentage from -100 to 100")
    if number != round(number, 5):
        raise PydanticCustomError("decimal_places", "A weight has at most five decimal places")
    places = max(2, -int(number.normalize().as_tuple().exponent))
    return f"{number:.{places}f}"


def _to_number(value: Any) -> str:
    number = read_number(value)
    if number is None:
        raise PydanticCustomError("decimal_type", "Input should be a number or a decimal string")
    return decimal_text(number)


_NUMBER_SCHEMA = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "maxLength": 64}]})
Weight = Annotated[str, BeforeValidator(_to_weight), _NUMBER_SCHEMA]
"""A percentage from -100 to 100, at most five places; held as a decimal text with at least two ("33.33333", "50.00")."""
Number = Annotated[str, BeforeValidator(_to_number), _NUMBER_SCHEMA]
"""An exact decimal number, held as a text."""


@lru_cache(maxsize=512)
def compile_pattern(pattern: str, *, ignore_case: bool) -> Any:
    """The compiled pattern of a linear-time engine, 1 MiB of memory at most; ValueError when it is none."""
    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.max_mem = 1 << 20
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        words = error.args[0] if error.args else ""
        raise ValueError(words.decode() if isinstance(words, bytes) else str(words)) from None


# --- options ---


class OptionDraft(Draft):
    """One option of a choice or an ordering. `weight` is a percentage of the question's points."""

    id: Key | None = None
    text: OptionText
    weight: Weight | None = None
    feedback: Feedback | None = None


class ItemDraft(Draft):
    """One item of a matching."""

    id: Key | None = None
    text: OptionText


class PairsDraft(Draft):
    """The two sides of a matching."""

    left: Annotated[list[ItemDraft], Field(min_length=1, max_length=MAX_OPTIONS)]
    right: Annotated[list[ItemDraft], Field(min_length=1, max_length=MAX_OPTIONS)]


class _Options(Draft):
    options: Annotated[list[OptionDraft], Field(min_length=2, max_length=MAX_OPTIONS)]


Options = list[OptionDraft] | PairsDraft | None

_LISTED = {QuestionType.MULTIPLE_CHOICE, QuestionType.MULTIPLE_SELECT, QuestionType.ORDERING}


def read_options(question_type: str, value: Any) -> Options:
    """The options of a question of this type; ValidationError with paths below `options`."""
    if question_type == QuestionType.MATCHING:
        pairs = PairsDraft.model_validate(value)
        _refuse_doubled_ids(pairs.left, "left")
        _refuse_doubled_ids(pairs.right, "right")
        return pairs
    if question_type in _LISTED:
        try:
            options = _Options.model_validate({"options": value}).options
        except ValidationError as error:
            raise _below_options(error) from None
        _refuse_doubled_ids(options)
        return options
    if value not in (None, []):
        raise PydanticCustomError("no_options", "Questions of this type have no options")
    return None


def _below_options(error: ValidationError) -> ValidationError:
    faults = error.errors(include_url=False)
    return faults_at(
        (fault["loc"][1:], PydanticCustomError(fault["type"], _literal(fault["msg"]), fault.get("ctx")), fault["input"])
        for fault in faults
    )


def _literal(message: str) -> str:
    return message.replace("{", "(").replace("}", ")")


def _refuse_doubled_ids(items: Iterable[OptionDraft | ItemDraft], *path: str) -> None:
    seen: set[str] = set()
    for place, item in enumerate(items):
        if item.id in seen:
            raise fault_at((*path, place, "id"), "not_unique", "This id is used twice", item.id)
        if item.id is not None:
            seen.add(item.id)


def faults_at(faults: Iterable[tuple[tuple[int | str, ...], PydanticCustomError, Any]]) -> ValidationError:
    """A ValidationError with these places, which a field validator may raise: its field is put before them."""
    return ValidationError.from_exception_data(
        "question", [InitErrorDetails(type=kind, loc=loc, input=given) for loc, kind, given in faults]
    )


def fault_at(loc: tuple[int | str, ...], code: str, message: str, given: Any = None) -> ValidationError:
    """One fault at one place."""
    return faults_at([(loc, PydanticCustomError(code, _literal(message)), given)])


# --- the shapes of correct_answer ---


class ChoiceKey(Draft):
    """multiple_choice."""

    option_id: Key


class SelectKey(Draft):
    """multiple_select."""

    option_ids: Annotated[list[Key], Field(min_length=1, max_length=MAX_OPTIONS)]


class TruthKey(Draft):
    """true_false, with what to tell who says true, and who says false."""

    value: bool
    feedback_true: Feedback | None = None
    feedback_false: Feedback | None = None


class AcceptedAnswer(Draft):
    """One text that a short_answer takes. In a wildcard `*` stands for any text, `\\*` for a star."""

    text: AcceptedText
    weight: Weight = "100.00"
    feedback: Feedback | None = None
    is_wildcard: bool = False


class ShortAnswerKey(Draft):
    """short_answer. `pattern` is a regular expression (RE2) for the whole answer and is worth all points."""

    accepted: Annotated[list[AcceptedAnswer], Field(default_factory=list, max_length=MAX_OPTIONS)]
    ignore_case: bool = True
    fold_arabic: bool = False
    pattern: PatternText | None = None

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                compile_pattern(pattern, ignore_case=True)
            except ValueError as error:
                raise PydanticCustomError("pattern", _literal(f"Not a pattern of RE2: {error}")) from None
        return pattern


class AcceptedNumber(Draft):
    """One number that a numeric question takes."""

    value: Number
    tolerance: Number = "0"
    tolerance_type: ToleranceType = "absolute"
    weight: Weight = "100.00"
    feedback: Feedback | None = None


class NumericKey(Draft):
    """numeric: one value, or several with weights. `feedback_otherwise` is for who comes near none of them."""

    value: Number | None = None
    tolerance: Number | None = None
    tolerance_type: ToleranceType | None = None
    accepted: Annotated[list[AcceptedNumber], Field(min_length=1, max_length=MAX_OPTIONS)] | None = None
    feedback_otherwise: Feedback | None = None


class MatchingKey(Draft):
    """matching: left id -> right id."""

    pairs: dict[Key, Key]


class OrderingKey(Draft):
    """ordering: the ids in their right order."""

    sequence: list[Key]


KeyModel = ChoiceKey | SelectKey | TruthKey | ShortAnswerKey | NumericKey | MatchingKey | OrderingKey
KEYS: Mapping[str, type[KeyModel]] = {
    QuestionType.MULTIPLE_CHOICE: ChoiceKey,
    QuestionType.MULTIPLE_SELECT: SelectKey,
    QuestionType.TRUE_FALSE: TruthKey,
    QuestionType.SHORT_ANSWER: ShortAnswerKey,
    QuestionType.NUMERIC: NumericKey,
    QuestionType.MATCHING: MatchingKey,
    QuestionType.ORDERING: OrderingKey,
}


def read_key(question_type: str, value: Any, options: Options) -> dict[str, Any] | None:
    """`correct_answer` of a question of this type, checked against its options; None when it follows from them."""
    model = KEYS.get(question_type)
    if model is None:
        if value is not None:
            raise PydanticCustomError("no_key", "Questions of this type have no correct answer")
        return None
    if value is None:
        if derives_key(question_type, options):
            return None
        raise PydanticCustomError("required", "This field is needed.")
    key = model.model_validate(value)
    if check := _CHECKS.get(question_type):
        check(key, options)
    return key.model_dump(exclude_none=True)


def derives_key(question_type: str, options: Options) -> bool:
    """May `correct_answer` be left out? It follows from weights, from the order of the items, from the two sides."""
    if isinstance(options, PairsDraft):
        return len(options.left) <= len(options.right)
    weights = [float(option.weight) for option in options or () if option.weight is not None]
    match question_type:
        case QuestionType.ORDERING:
            return True
        case QuestionType.MULTIPLE_CHOICE:
            return 100 in weights
        case QuestionType.MULTIPLE_SELECT:
            return any(weight > 0 for weight in weights)
    return False


def _known(ids: Iterable[str], known: set[str], *path: str) -> None:
    seen: set[str] = set()
    for place, one in enumerate(ids):
        if one not in known:
            raise fault_at((*path, place), "unknown_option", "No option has this id", one)
        if one in seen:
            raise fault_at((*path, place), "not_unique", "This id is named twice", one)
        seen.add(one)


def _ids(options: Any) -> set[str]:
    return {item.id for item in options or () if item.id is not None}


def _check_choice(key: ChoiceKey, options: list[OptionDraft]) -> None:
    if key.option_id not in _ids(options):
        raise fault_at(("option_id",), "unknown_option", "No option has this id", key.option_id)
    weights = {option.id: float(option.weight) for option in options if option.weight is not None}
    if weights and max(weights.values()) > weights.get(key.option_id, 100.0):
        raise fault_at(("option_id",), "outweighed", "Another option weighs more than the correct one", key.option_id)


def _check_select(key: SelectKey, options: list[OptionDraft]) -> None:
    _known(key.option_ids, _ids(options), "option_ids")


def _check_short_answer(key: ShortAnswerKey, _options: None) -> None:
    if key.pattern is None and not any(float(row.weight) > 0 for row in key.accepted):
        raise fault_at(("accepted",), "required", "Name an accepted answer, or a pattern")


def _check_numeric(key: NumericKey, _options: None) -> None:
    if (key.value is None) == (key.accepted is None):
        raise fault_at(("value",), "required", "Give either a value or a list of accepted values")
    if key.accepted is not None:
        if key.tolerance is not None or key.tolerance_type is not None:
            raise fault_at(("tolerance",), "misplaced", "The tolerance belongs into the rows of accepted")
        for place, row in enumerate(key.accepted):
            _check_tolerance(row.tolerance, row.tolerance_type, "accepted", place)
        if not any(float(row.weight) > 0 for row in key.accepted):
            raise fault_at(("accepted",), "required", "No accepted value is worth anything")
    else:
        _check_tolerance(key.tolerance or "0", key.tolerance_type or "absolute")


def _check_tolerance(tolerance: str, tolerance_type: str, *path: int | str) -> None:
    number = read_number(tolerance)
    if number is None or number < 0:
        raise fault_at((*path, "tolerance"), "out_of_range", "A tolerance is not negative", tolerance)
    if tolerance_type == "significant_figures" and (number != int(number) or not 1 <= number <= 30):
        raise fault_at((*path, "tolerance"), "out_of_range", "Give the number of figures, 1 to 30", tolerance)


def _check_matching(key: MatchingKey, options: PairsDraft) -> None:
    left, right = _ids(options.left), _ids(options.right)
    for one, other in key.pairs.items():
        if one not in left:
            raise fault_at(("pairs", one), "unknown_option", "No item on the left has this id", one)
        if other not in right:
            raise fault_at(("pairs", one), "unknown_option", "No item on the right has this id", other)
    if len(key.pairs) < len(options.left):
        raise fault_at(("pairs",), "incomplete", "Every item on the left needs its pair")


def _check_ordering(key: OrderingKey, options: list[OptionDraft]) -> None:
    _known(key.sequence, _ids(options), "sequence")
    if len(key.sequence) < len(options):
        raise fault_at(("sequence",), "incomplete", "Every item needs its place")


_CHECKS: Mapping[str, Callable[[Any, Any], None]] = {
    QuestionType.MULTIPLE_CHOICE: _check_choice,
    QuestionType.MULTIPLE_SELECT: _check_select,
    QuestionType.SHORT_ANSWER: _check_short_answer,
    QuestionType.NUMERIC: _check_numeric,
    QuestionType.MATCHING: _check_matching,
    QuestionType.ORDERING: _check_ordering,
}
