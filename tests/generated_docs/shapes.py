"""Types in the words of the documentation, read from JSON schemas; tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

MADE = "Made from the code by `python3 -m tests.generated_docs`; do not edit by hand."
_FORMATS = {"date-time": "time", "path": "path", "password": "secret"}
_SIMPLE = {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false", "null": "null"}


def words_of(schema: Schema) -> str:
    """What values a JSON schema takes, in a few words."""
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " \\| ".join(f"`{value}`" for value in schema["enum"])
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(words_of(choice) for choice in choices))
    return _plain_words(schema)


def _plain_words(schema: Schema) -> str:
    kind = schema.get("type")
    if kind == "array":
        items = schema.get("items")
        return f"list of {words_of(items)}" if items else "list"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"map to {words_of(values)}" if isinstance(values, Mapping) and values else "object"
    if kind == "string" and schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    return _SIMPLE.get(str(kind), "any")


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, without a line end behind it."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace(chr(10), ' ') for cell in line)} |" for line in lines)


def code(text: str) -> str:
    """As code; nothing stays nothing."""
    return f"`{text}`" if text else ""


def first_line(doc: str | None) -> str:
    """What a docstring begins with."""
    return (doc or "").strip().partition("\n\n")[0].replace("\n", " ").strip()
