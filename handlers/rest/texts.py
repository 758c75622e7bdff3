"""What comes as texts alone, in a query or a form: decoded, and validated by a model."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lms_rt.contracts.base import field_errors
from lms_rt.contracts.json_reader import refuse_unstorable
from lms_rt.errors import Code, Refused

ModelT = TypeVar("ModelT", bound=BaseModel)


def text_of(value: bytes, words: str) -> str:
    """The text; 400 `malformed_request` with these words when it is not UTF-8."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise Refused(Code.MALFORMED_REQUEST, words) from None


def model_of_texts(model: type[ModelT], given: dict[str, Any]) -> ModelT:
    """These texts, or lists of them, as `model`; 422 naming every fault."""
    refuse_unstorable(given)
    try:
        return model.model_validate(given, strict=False)
    except ValidationError as error:
        raise Refused(Code.VALIDATION_FAILED, fields=field_errors(error, of=given)) from None
