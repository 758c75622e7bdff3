"""What attackers send in the place of a text, and every place of a model where one could be sent."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
from pydantic import BaseModel

OPERATORS: tuple[Any, ...] = (
    {"$ne": None},
    {"$gt": ""},
    {"$regex": ".*"},
    {"$where": "sleep(1000) || true"},
    {"$in": [None, ""]},
    [{"$ne": None}],
)
"""MongoDB's words where a word of somebody's own is expected."""
OPERATOR_WORDS = ('{"$ne":null}', "[$ne]", "$where:1==1", "' || 'x'=='x", '"; return true; //', "$gt", "ne.null")
"""The same for where there are only texts."""
PATHS = (
    "../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "....//....//etc/passwd",
    "file:///etc/passwd",
    "lms.db",
    ".",
    "..",
)
"""Ways out of a folder."""
ELSEWHERE = (
    "//evil.test/",
    "\\\\evil.test",
    "/\\evil.test",
    "/\\/evil.test",
    "https://evil.test/",
    "https:evil.test",
    "http:/\\evil.test",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\t/evil.test",
    "/\r\n/evil.test",
    "\t//evil.test",
    " //evil.test",
    "///evil.test",
    "@evil.test",
    "/@evil.test:80//x\r\nSet-Cookie: a=b",
)
"""Where nobody may be sent on to."""
BROKEN_LINES = (
    "a\r\nX-Evil: 1",
    "a\nX-Evil: 1",
    "a\rX-Evil: 1",
    "a\r\n\r\n<script>",
    "a\u2028X-Evil: 1",
    "a\u560a\u560dX-Evil: 1",
)
"""Texts that begin a header of their own where they become part of one."""

Path = tuple[str | int, ...]


@cache
def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(by_alias=True)


def places(model: type[BaseModel]) -> list[Path]:
    """The way to every value of a model: names, and 0 for the items of a list."""
    schema = _schema(model)
    return sorted(set(_below(schema, schema.get("$defs", {}), ())), key=str)


def _below(node: dict[str, Any], known: dict[str, Any], path: Path) -> Iterator[Path]:
    if len(path) > 4:
        return
    if "$ref" in node:
        node = known[node["$ref"].rpartition("/")[2]]
    for other in (*node.get("anyOf", ()), *node.get("oneOf", ()), *node.get("allOf", ())):
        yield from _below(other, known, path)
    if "properties" in node:
        for name, child in node["properties"].items():
            yield from _below(child, known, (*path, name))
    elif isinstance(node.get("items"), dict):
        yield from _below(node["items"], known, (*path, 0))
    if path:
        yield path


def holding(path: Path, value: Any) -> Any:
    """The smallest body with this value in this place."""
    for step in reversed(path):
        value = [value] if isinstance(step, int) else {step: value}
    return value


def takes(model: type[BaseModel], path: Path, value: Any) -> bool:
    """Does the documented shape take this value there, the rest being as it should?"""
    faults = jsonschema_rs.Draft202012Validator(_schema(model)).iter_errors(holding(path, value))
    return not any(tuple(fault.instance_path)[:1] == path[:1] for fault in faults)
