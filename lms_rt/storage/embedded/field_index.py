"""One field of an index: who has which value, and the values in their order as soon as somebody asks for a range."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Hashable, Iterator, Mapping
from datetime import datetime
from typing import Any

from bson import Int64

Keys = set[bytes]
_KINDS: Mapping[type, str] = {
    str: "text",
    int: "number",
    Int64: "number",
    float: "number",
    bool: "number",  # not to BSON; but it is the same key of a dict as 0 or 1, and so stands at the same place
    datetime: "moment",
}
"""What is compared with one another, natively and by BSON alike. (Not their subclasses: code is no text.)"""
_LOWER: Mapping[str, Callable[[list[Any], Any], int]] = {"$gt": bisect_right, "$gte": bisect_left}
_UPPER: Mapping[str, Callable[[list[Any], Any], int]] = {"$lt": bisect_left, "$lte": bisect_right}
_BOUNDS = _LOWER.keys() | _UPPER.keys()


class FieldIndex:
    """The documents by their values of one field.

    `by_value` has every value that an equality may match; `odd` are the documents of which their one value does not tell
    whether a range matches, nor where they are sorted: an array, or what is neither text, number nor moment.
    """

    def __init__(self, path: str) -> None:
        """Of no document yet."""
        self._path = path.split(".")
        self.by_value: dict[Any, Keys] = {}
        self.odd: Keys = set()
        self._lines: dict[str, list[Any]] | None = None

    def add(self, key: bytes, document: Any) -> tuple[Any, ...]:
        """Take in a document; returns its values, by which it is taken out again."""
        value = _single(document, self._path)
        if value is None or (_kind_of(value) is not None and type(value) is not bool):
            values: tuple[Any, ...] = (value,)
        else:
            values = tuple(_values(document, self._path))
            self.odd.add(key)
        for one in values:
            if (keys := self.by_value.get(one)) is None:
                keys = self.by_value[one] = set()
                self._enter(one)
            keys.add(key)
        return values

    def remove(self, key: bytes, values: tuple[Any, ...]) -> None:
        """Take out a document."""
        self.odd.discard(key)
        for value in values:
            if (keys := self.by_value.get(value)) is None:
                continue  # it had the value twice
            keys.discard(key)
            if not keys:
                del self.by_value[value]
                self._leave(value)

    def find_range(self, condition: Any) -> list[Any] | None:
        """The values within the bounds, in order; None when there are no bounds of one kind. Who is `odd` may match besides."""
        if not isinstance(condition, dict):
            return None
        bounds = {name: bound for name, bound in condition.items() if name in _BOUNDS}
        kinds = {_kind_of(bound) for bound in bounds.values()}
        if len(kinds) != 1 or (kind := kinds.pop()) is None:
            return None
        line = self._by_kind().get(kind, [])
        first = max((find(line, bounds[name]) for name, find in _LOWER.items() if name in bounds), default=0)
        end = min((find(line, bounds[name]) for name, find in _UPPER.items() if name in bounds), default=len(line))
        return line[first:end]

    def find_all(self) -> list[Any] | None:
        """All values in order, when every document has one, and all are of one kind; else None."""
        if self.odd or None in self.by_value:
            return None
        lines = [line for line in self._by_kind().values() if line]
        return lines[0] if len(lines) == 1 else None

    def _by_kind(self) -> dict[str, list[Any]]:
        """The values in order. Nobody pays for that before the first range is asked for."""
        if self._lines is None:
            self._lines = {kind: [] for kind in _KINDS.values()}
            for value in self.by_value:
                if (kind := _kind_of(value)) is not None:
                    self._lines[kind].append(value)
            for line in self._lines.values():
                line.sort()
        return self._lines

    def _enter(self, value: Any) -> None:
        if self._lines is not None and (kind := _kind_of(value)) is not None:
            insort(self._lines[kind], value)

    def _leave(self, value: Any) -> None:
        if self._lines is not None and (kind := _kind_of(value)) is not None:
            line = self._lines[kind]
            del line[bisect_left(line, value)]


def _kind_of(value: Any) -> str | None:
    """What it is compared with; None for what is not compared here."""
    kind = _KINDS.get(type(value))
    if kind == "moment":
        return kind if value.tzinfo is None else None
    return kind if kind is None or value == value else None  # noqa: PLR0124 - what is not a number has no place


def _single(node: Any, path: list[str]) -> Any:
    """What stands at the dotted path: None when something is missing, a list when one lies on the way."""
    for name in path:
        if isinstance(node, list):
            break
        node = node.get(name) if isinstance(node, dict) else None
    return node


def _values(node: Any, path: list[str]) -> Iterator[Any]:
    """Everything an equality on the dotted `path` may match in a document; None when something is missing."""
    if isinstance(node, list):
        for item in node or [None]:
            yield from _values(item, path)
        if path and path[0].isdigit() and int(path[0]) < len(node):
            yield from _values(node[int(path[0])], path[1:])
    elif path:
        yield from _values(node.get(path[0]) if isinstance(node, dict) else None, path[1:])
    elif isinstance(node, Hashable):
        yield node
