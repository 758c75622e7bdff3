"""What all contracts share: request and view models, their field types, pages, and the faults of a body.

Bodies are read strictly (no "5" for 5); `read_model` is the one way from parsed JSON to a model, for REST and live alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from lms_rt.clock import rfc3339
from lms_rt.contracts.writing import is_blank
from lms_rt.errors import Code, FieldError, Refused

MAX_INTEGER = 2**63 - 1
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


# --- field types ---


def _to_hundredths(value: Any) -> int:
    """A number or a decimal string with at most two places, as hundredths."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise PydanticCustomError("decimal_type", "Input should be a number or a decimal string")
    try:
        scaled = Decimal(str(value)) * 100
    except InvalidOperation:
        raise PydanticCustomError("decimal_type", "Input should be a number or a decimal string") from None
    if not scaled.is_finite() or abs(scaled) > MAX_INTEGER:
        raise PydanticCustomError("decimal_range", "Input should be a finite number of a sensible size")
    if scaled != scaled.to_integral_value(ROUND_HALF_UP):
        raise PydanticCustomError("decimal_places", "Input should have at most two decimal places")
    return int(scaled)


def hundredths_text(hundredths: int) -> str:
    """Hundredths as a decimal string with exactly two places: 7000 -> "70.00"."""
    sign = "-" if hundredths < 0 else ""
    return f"{sign}{abs(hundredths) // 100}.{abs(hundredths) % 100:02d}"


HundredthsIn = Annotated[
    int,
    BeforeValidator(_to_hundredths),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?\d{1,12}(\.\d{1,2})?$"}]}),
]
"""In requests: a number or decimal string with at most two places; held as hundredths."""

Hundredths = Annotated[
    int,
    PlainSerializer(hundredths_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+\.\d\d$", "examples": ["70.00"]}),
]
"""In views: held (and passed in) as hundredths, shown as a decimal string with exactly two places."""


def _to_instant(value: Any) -> datetime:
    """An RFC 3339 text (or an aware datetime) as UTC, cut to milliseconds."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value.upper() else value
        if not isinstance(at, datetime) or at.tzinfo is None:
            raise PydanticCustomError(
                "instant", "Input should be an RFC 3339 time with its offset, such as 2026-01-31T09:00:00Z"
            )
        at = at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("instant", "Input should be an RFC 3339 time with its offset") from None
    if not 1970 <= at.year <= 9998:
        raise PydanticCustomError("instant", "Input should lie between the years 1970 and 9998")
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


Instant = Annotated[
    datetime,
    BeforeValidator(_to_instant),
    Field(strict=False),
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-01-31T09:00:00.000Z"]}),
]
"""A moment: RFC 3339 with an offset in, UTC with `Z` and milliseconds out."""


def find_instant(value: Any) -> datetime | None:
    """The moment that a JSON value names, in UTC; None: it names none."""
    try:
        return _to_instant(value)
    except PydanticCustomError:
        return None


def check_line(text: str) -> str:
    """In a mail or a list whatever follows a line break looks as if the house had said it."""
    if _CONTROL.search(text):
        raise PydanticCustomError("control_character", "Input should be one line without control characters")
    return text


def check_shown(text: str) -> str:
    """By a name of which nothing can be seen nobody finds what it names."""
    if is_blank(text):
        raise PydanticCustomError("unseen_character", "Input should hold something that can be seen")
    return text


Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(check_line),
    AfterValidator(check_shown),
]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(check_line)]
Prose = Annotated[str, StringConstraints(max_length=100_000)]
Key = Annotated[str, StringConstraints(pattern=f"^{_KEY.pattern}$")]
"""A key that a client chose and that becomes part of a path in a document."""
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200)]
"""An id that came from a client; whether there is such a thing is for the look-up to say."""
IdFilter = str
"""An id by which a list is asked for: whatever is none, the empty text too, is nobody's, and the list is empty."""


def _check_metadata(value: Any) -> Any:
    if len(orjson.dumps(value)) > 16_384:
        raise PydanticCustomError("too_long", "Metadata should have at most 16 KiB")
    pending = [value]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            if (bad := next((key for key in node if not _KEY.fullmatch(key)), None)) is not None:
                raise PydanticCustomError(
                    "invalid_key", "The key {key} should be 1 to 64 of A-Z, a-z, 0-9, _ and -", {"key": bad}
                )
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return value


Metadata = Annotated[dict[str, Any], BeforeValidator(_check_metadata)]
"""Free JSON of a client's own, up to 16 KiB."""


# --- models ---


class View(BaseModel):
    """What goes out. Held in the house's units, shown in the border's."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_enum_values=True, defer_build=True)


class Draft(BaseModel):
    """What comes in to make something, or a command. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, use_enum_values=True, defer_build=True)


class Change(Draft):
    """A partial update. `read_only` names the view's fields that may be sent along unchanged (and are then ignored)."""

    read_only: ClassVar[frozenset[str]] = frozenset()
    _echoed: dict[str, Any] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _set_aside_read_only(cls, value: Any, build: Callable[[Any], Any]) -> Any:
        if not isinstance(value, dict):
            return build(value)
        echoed = {key: value[key] for key in value if key in cls.read_only and key not in cls.model_fields}
        made = build({key: kept for key, kept in value.items() if key not in echoed})
        made._echoed = echoed  # noqa: SLF001 - its own class
        return made

    @property
    def echoed(self) -> dict[str, Any]:
        """Read-only fields that were sent along, as JSON values."""
        return self._echoed

    def given(self) -> dict[str, Any]:
        """Only the fields that were sent, by name."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def refuse_changed_read_only(change: Change, view: BaseModel) -> None:
    """Refuse (422, `read_only`) when a read-only field was sent with another value than it has in `view`."""
    if not change.echoed:
        return
    present = orjson.loads(encode(view))
    faults = [
        FieldError(name, "This field cannot be set.", "read_only")
        for name, sent in change.echoed.items()
        if sent != present.get(name)
    ]
    if faults:
        raise Refused(Code.VALIDATION_FAILED, fields=faults)


ModelT = TypeVar("ModelT", bound=BaseModel)
ItemT = TypeVar("ItemT")


class Page(View, Generic[ItemT]):
    """One page of a list, counted."""

    items: list[ItemT]
    page: int
    page_size: int
    total: int
    pages: int


class CursorPage(View, Generic[ItemT]):
    """One stretch of a large list; `next` is None at the end."""

    items: list[ItemT]
    next: str | None
    limit: int


NewestFirst = Literal["-created_at"]
"""The `sort` of a list that has this order alone."""


class PageQuery(BaseModel):
    """`?page=&page_size=`. Subclasses add filters and `sort` as a Literal of allowed words; unknown parameters are ignored.

    Without a `sort` the list has one order: any that is asked for is refused.
    """

    model_config = ConfigDict(extra="ignore", use_enum_values=True, defer_build=True)

    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Field(ge=1, le=100)] = 20

    @property
    def skip(self) -> int:
        """How many rows come before this page."""
        return (self.page - 1) * self.page_size


class CursorQuery(BaseModel):
    """`?after=<cursor>&limit=`. Of `sort` the same holds as in pages."""

    model_config = ConfigDict(extra="ignore", use_enum_values=True, defer_build=True)

    after: Annotated[str, StringConstraints(max_length=300)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 20


def page_of(items: Sequence[ItemT], query: PageQuery, total: int) -> Page[ItemT]:
    """The reply for one page."""
    return Page(
        items=list(items), page=query.page, page_size=query.page_size, total=total, pages=-(-total // query.page_size)
    )


# --- from and to JSON ---


def _default(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return rfc3339(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def encode(value: Any) -> bytes:
    """The one JSON encoder: views, and plain values that hold views and times."""
    if isinstance(value, BaseModel):
        return value.__pydantic_serializer__.to_json(value)
    return orjson.dumps(value, default=_default, option=orjson.OPT_PASSTHROUGH_DATETIME)


def read_model(model: type[ModelT], value: Any) -> ModelT:
    """`value` (parsed JSON) as `model`; 422 `validation_failed` naming every fault."""
    try:
        return model.model_validate_json(orjson.dumps(value))
    except ValidationError as error:
        raise Refused(Code.VALIDATION_FAILED, fields=field_errors(error, of=value)) from None


def field_errors(error: ValidationError, *, of: Any = None) -> list[FieldError]:
    """Pydantic's faults in the house's words: dotted path in what was sent (`of`), message, stable code; at most 100."""
    return [
        FieldError(_path(fault, of), _words(fault), _CODES.get(fault["type"], fault["type"]))
        for fault in error.errors(include_url=False, include_input=False)[:100]
    ]


def _words(fault: ErrorDetails) -> str:
    """The message; for the commonest faults in our own words, where Pydantic's speak of Python."""
    template, context = _WORDS.get(fault["type"]), fault.get("ctx", {})
    if template is None or ("{" in template and not context):  # the latter: a validator of ours has said it
        return fault["msg"]
    return template.format(**context)


_WORDS = {
    "extra_forbidden": "There is no such field.",
    "missing": "This field is needed.",
    "too_short": "Give {min_length} or more.",
    "too_long": "Give {max_length} at most.",
    "string_too_short": "Use {min_length} or more characters.",
    "string_too_long": "Use {max_length} characters at most.",
    "model_type": "This should be an object.",
    "dict_type": "This should be an object.",
}
_CODES = {"extra_forbidden": "unknown_field", "missing": "required"}


def _path(fault: ErrorDetails, sent: Any) -> str:
    """Where it is. Where one of several types is taken, Pydantic puts between what it tried: nobody sent that."""
    parts, at = list[str](), sent
    for place, part in enumerate(fault["loc"], 1):
        is_sent = part in at if isinstance(at, dict) else isinstance(at, list) and isinstance(part, int)
        if is_sent:
            at = at[part]
        elif sent is not None and place > 1 and not (fault["type"] == "missing" and place == len(fault["loc"])):
            continue  # the first is always a field of the model, perhaps by its other name
        parts.append(str(part))
    return ".".join(parts)
