"""The tables of `docs/data-model.md`, from the documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from pymongo import IndexModel

from documents import DOCUMENTS
from documents.base import Record
from documents.course import Lesson
from documents.enrollment import AttemptSummary, LessonProgress
from tests.generated_docs.shapes import code, first_line, table, words_of

_EMBEDDED: tuple[type[BaseModel], ...] = (Lesson, LessonProgress, AttemptSummary)


def collections() -> str:
    """Every collection with its fields."""
    return "\n".join(_sections())


def indexes() -> str:
    """Every index, with what it promises."""
    rows = [
        (code(_name(document)), ", ".join(code(key) for key in _keys(index)), _promise(index))
        for document in DOCUMENTS
        for index in _indexes(document)
    ]
    return f"{table(('collection', 'fields', ''), rows)}\n"


def _sections() -> Iterator[str]:
    for document in DOCUMENTS:
        yield f"### {_name(document)}\n\n{first_line(document.__doc__)}\n\n{_fields(document)}\n"
    for model in _EMBEDDED:
        yield f"### {model.__name__} (embedded)\n\n{first_line(model.__doc__)}\n\n{_fields(model)}\n"


def _fields(model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    is_document = issubclass(model, Record)
    rows = [
        (code("_id" if is_document and name in {"id", "_id"} else name), words_of(field), _default(field))
        for name, field in schema["properties"].items()
        if name != "revision_id"
    ]
    return table(("field", "value", "when new"), rows)


def _default(field: Mapping[str, Any]) -> str:
    if "default" not in field:
        return ""
    default = field["default"]
    return "left out" if default is None else code(str(default) if default != "" else '""')


def _name(document: type[Record]) -> str:
    name: str = document.Settings.name  # type: ignore[attr-defined]  # every class of the list has one
    return name


def _indexes(document: type[Record]) -> list[IndexModel]:
    return list(getattr(document.Settings, "indexes", ()))


def _keys(index: IndexModel) -> Iterator[str]:
    for name, direction in index.document["key"].items():
        yield name if direction == 1 else f"-{name}"


def _promise(index: IndexModel) -> str:
    return ", ".join(word for word in ("unique", "sparse") if index.document.get(word))
