"""From method and path to an operation: a dict look-up by place, length and first segment, then a handful of patterns.

A list of 120 regular expressions costs its last row 20 µs; this costs every row about one. Nothing is answered here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from config.settings import Settings
from handlers.rest.access import Access
from handlers.rest.operations import LIMIT_NAMES, Operation, Place

API_PREFIX = "/api/v1"
MAX_PARAMETER_LENGTH = 200


class TableError(Exception):
    """The route table cannot be served: it says which row and why. The server does not start."""


@dataclass(frozen=True, slots=True)
class Match:
    """What a method and a path came to: an operation with its parameters, or only the methods that the path has."""

    operation: Operation | None
    route: str
    allowed: tuple[str, ...]
    raw: Mapping[str, str] = field(default_factory=dict)
    tells: Callable[[Settings], Mapping[str, str]] | None = None

    def find_parameters(self) -> Mapping[str, str] | None:
        """The parameters decoded, or None when one of them can name nothing (not UTF-8, control characters, too long)."""
        decoded = {}
        for name, segment in self.raw.items():
            try:
                value = unquote(segment, errors="strict")
            except UnicodeDecodeError:
                return None
            if len(value) > MAX_PARAMETER_LENGTH or not value.isprintable():
                return None
            decoded[name] = value
        return decoded


@dataclass(slots=True)
class _Pattern:
    """One shape of path (None stands for a parameter) and who answers which method on it."""

    shape: tuple[str | None, ...]
    route: str
    answers: dict[str, tuple[Operation, tuple[str, ...]]] = field(default_factory=dict)

    def fits(self, segments: tuple[str, ...]) -> bool:
        return all(part is None or part == segment for part, segment in zip(self.shape, segments, strict=True))

    @property
    def allowed(self) -> tuple[str, ...]:
        methods = {*self.answers, "OPTIONS"} | ({"HEAD"} if "GET" in self.answers else set())
        return tuple(sorted(methods))


class RouteTable:
    """All operations, found by method and path. Literals win over parameters; a trailing slash changes nothing."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        """Check and index the rows; raises `TableError` naming every fault."""
        self.operations = tuple(operations)
        self._patterns: dict[tuple[str | None, int], list[_Pattern]] = {}
        self._faults: list[str] = []
        for operation in self.operations:
            self._check(operation)
            for pattern in full_patterns(operation):
                self._add(operation, pattern)
        self._check_locations()
        if self._faults:
            raise TableError("; ".join(self._faults))
        for patterns in self._patterns.values():
            patterns.sort(key=lambda pattern: tuple(part is None for part in pattern.shape))

    def find(self, method: str, path: str) -> Match | None:
        """The operation of this method and path; None when there is no such path."""
        segments = _segments(path)
        first = segments[0] if segments else None
        key = (segments[2] if _is_api(segments) and len(segments) > 2 else first, len(segments))
        for pattern in self._patterns.get(key, ()):
            if pattern.fits(segments):
                return self._match(pattern, method, segments)
        return None

    @staticmethod
    def _match(pattern: _Pattern, method: str, segments: tuple[str, ...]) -> Match:
        answer = pattern.answers.get("GET" if method == "HEAD" else method)
        if answer is None:
            tells = next((one.tells for one, _ in pattern.answers.values() if one.tells), None)
            return Match(None, pattern.route, pattern.allowed, tells=tells)
        operation, names = answer
        values = [segment for part, segment in zip(pattern.shape, segments, strict=True) if part is None]
        return Match(operation, pattern.route, pattern.allowed, dict(zip(names, values, strict=True)))

    def _check(self, operation: Operation) -> None:
        row = f"{'/'.join(operation.methods)} {operation.path}"
        access: object = operation.access  # whatever stands in the row, not what its type promises
        if not isinstance(access, Access):
            self._faults.append(f"{row} declares no access rule")
        elif operation.reach is None and not access.is_public:
            self._faults.append(f"{row} does not say whose things it reaches")
        if not operation.summary:
            self._faults.append(f"{row} has no summary")
        if operation.counts_as not in LIMIT_NAMES:
            self._faults.append(f"{row} counts among {operation.limit}, which is no class of requests")
        if operation.body is not None and (operation.is_upload or operation.is_streamed):
            self._faults.append(f"{row} takes uploads and a model")

    def _check_locations(self) -> None:
        """What an answer points at has to be there, as some row spells it."""
        spelled = {pattern for operation in self.operations for pattern in full_patterns(operation)}
        for operation in self.operations:
            pattern = API_PREFIX + operation.location.partition("?")[0]
            if operation.location and pattern not in spelled:
                self._faults.append(f"{operation.path} makes what is found at {pattern}, where nothing is")

    def _add(self, operation: Operation, pattern: str) -> None:
        segments = _segments(pattern)
        shape = tuple(None if segment.startswith("{") else segment for segment in segments)
        key = (shape[2] if _is_api(segments) and len(shape) > 2 else (shape[0] if shape else None), len(shape))
        if key[0] is None:
            self._faults.append(f"{pattern} begins with a parameter")
        row = next((known for known in self._patterns.get(key, ()) if known.shape == shape), None)
        if row is None:
            row = _Pattern(shape, pattern)
            self._patterns.setdefault(key, []).append(row)
        for method in operation.methods:
            if method in row.answers:
                self._faults.append(f"{method} {pattern} stands twice in the table")
            row.answers[method] = (operation, tuple(operation.parameters(pattern)))


def full_patterns(operation: Operation) -> list[str]:
    """Its patterns with the places where they hang, the canonical one first."""
    below = [API_PREFIX + pattern for pattern in operation.patterns]
    if operation.place is Place.API:
        return below
    return list(operation.patterns) + (below if operation.place is Place.BOTH else [])


def _segments(path: str) -> tuple[str, ...]:
    """The path's segments, still percent-encoded; one trailing slash makes none."""
    return tuple(path.removesuffix("/").split("/")[1:])


def _is_api(segments: tuple[str, ...]) -> bool:
    return segments[:2] == ("api", "v1")
