"""What a GIFT file says in comments: `[id:…]`, `[tag:…]`, and our own `[lms: {…}]` for all that GIFT cannot say.

An `[lms: {…}]` holds `type` (a matching stands for an ordering), `ids` (those that the author gave to options), and `set`:
path -> value for each field that reads otherwise than it was; null takes a field away. Where nothing in GIFT comes near
the question, `question` holds all of it. Other programs ignore the comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lms_rt.contracts.base import encode
from lms_rt.contracts.json_reader import parse_json
from lms_rt.contracts.questions import QuestionDraft
from lms_rt.errors import Refused

Fields = dict[str, Any]
_NAMED = re.compile(r"\[(id|tag):((?:[^\[\]\\]|\\.)+)\]")
_LMS = "[lms:"
_WHOLE = frozenset({"metadata", "tags"})
"""Fields that are set as a whole."""


class AnnotationError(Exception):
    """An `[lms: …]` does not fit its question; the message says why."""


@dataclass(slots=True)
class Annotations:
    """What the comments of one question say."""

    idnumber: str | None = None
    tags: list[str] = field(default_factory=list)
    lms: Fields | None = None
    lost: list[str] = field(default_factory=list)


def read_annotations(comments: list[str]) -> Annotations:
    """The ids, tags and our own remarks in the comments of one question."""
    found = Annotations()
    for comment in comments:
        before, written = _split_lms(comment)
        if written is not None:
            try:
                found.lms = _as_object(parse_json(written.encode()))
            except Refused:
                found.lost.append("the [lms: …] comment (it holds no JSON that can be kept)")
        for one in _NAMED.finditer(before):
            name = " ".join(re.sub(r"\\(.)", r"\1", one[2]).split())
            if one[1] == "tag":
                found.tags.append(name)
            else:
                found.idnumber = name
    return found


def _split_lms(comment: str) -> tuple[str, str | None]:
    """What stands before an `[lms: …]` (it is the last of its line), and the JSON in it."""
    before, sign, rest = comment.partition(_LMS)
    return before, rest.rpartition("]")[0] if sign else None


def _as_object(value: object) -> Fields:
    return dict(value) if isinstance(value, dict) else {}


def write_annotations(idnumber: str | None, tags: list[str], lms: Fields) -> list[str]:
    """The comment lines for one question."""
    named = [f"[id:{_quoted(idnumber)}]"] if idnumber else []
    named += [f"[tag:{_quoted(tag)}]" for tag in tags]
    lines = [f"// {' '.join(named)}"] if named else []
    if lms:
        # no string in it may look like an id or a tag to another program
        written = re.sub(r"\[(?=(?:id|tag|lms):)", r"\\u005b", encode(lms).decode())
        lines.append(f"// [lms: {written}]")
    return lines


def _quoted(text: str) -> str:
    return " ".join(re.sub(r"[\[\]\\]", r"\\\g<0>", text).split())


# --- ids of options ---


def option_ids(draft: Mapping[str, Any]) -> Any:
    """The ids of a question's options, in their order: a list, or one for each side."""
    options = draft.get("options")
    if isinstance(options, Mapping):
        return {side: [item["id"] for item in options[side]] for side in ("left", "right")}
    return [option["id"] for option in options or ()]


def positions(ids: Any) -> Any:
    """Ids that say nothing but the position."""
    if isinstance(ids, Mapping):
        return {side: positions(ids[side]) for side in ids}
    return [str(place) for place in range(1, len(ids) + 1)]


def with_ids(draft: Mapping[str, Any], ids: Any) -> Fields:
    """The question with these ids, in options and key alike."""
    options, key = draft.get("options"), draft.get("correct_answer") or {}
    if not options:
        return dict(draft)
    if isinstance(options, Mapping):
        left, right = (_renaming(options[side], ids, side) for side in ("left", "right"))
        sides = {"left": _renamed(options["left"], left), "right": _renamed(options["right"], right)}
        pairs = {left.get(one, one): right.get(other, other) for one, other in key.get("pairs", {}).items()}
        return {**draft, "options": sides, "correct_answer": {**key, "pairs": pairs}}
    names = _renaming(options, ids)
    renamed = {**draft, "options": _renamed(options, names)}
    return renamed | {"correct_answer": {name: _in_key(value, names) for name, value in key.items()}}


def _in_key(value: Any, names: Mapping[str, str]) -> Any:
    return [names.get(one, one) for one in value] if isinstance(value, list) else names.get(value, value)


def _renaming(items: list[Fields], ids: Any, side: str | None = None) -> dict[str, str]:
    wanted = ids if side is None else ids.get(side) if isinstance(ids, Mapping) else None
    if not isinstance(wanted, list) or len(wanted) != len(items):
        raise AnnotationError("ids for another number of options")
    return {item["id"]: one for item, one in zip(items, wanted, strict=True)}


def _renamed(items: list[Fields], names: Mapping[str, str]) -> list[Fields]:
    return [{**item, "id": names[item["id"]]} for item in items]


# --- differences ---


def differences(wanted: Any, found: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """What has to be set in `found` to make it `wanted`."""
    if isinstance(wanted, dict) and isinstance(found, dict) and path not in _WHOLE:
        for name in [*wanted, *(name for name in found if name not in wanted)]:
            below = f"{path}.{name}" if path else name
            if name not in wanted:
                yield below, None
            elif name not in found:
                yield below, wanted[name]
            else:
                yield from differences(wanted[name], found[name], below)
    elif _are_rows(wanted) and _are_rows(found) and len(wanted) == len(found):
        for place, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, f"{path}.{place}")
    elif wanted != found or type(wanted) is not type(found):
        yield path, wanted


def _are_rows(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def set_fields(draft: Fields, changes: Any) -> None:
    """Set what `differences` found, in place. AnnotationError where a path leads nowhere."""
    if not isinstance(changes, dict):
        raise AnnotationError("its set is not an object")
    for path, value in changes.items():
        *way, last = path.split(".")
        if (way or [last])[0] not in QuestionDraft.model_fields:
            raise AnnotationError(f"there is no field {path[:60]!r}")
        _set(_reach(draft, way, path), last, value)


def _reach(draft: Any, way: list[str], path: str) -> Any:
    for step in way:
        if isinstance(draft, list) and step.isdecimal() and int(step) < len(draft):
            draft = draft[int(step)]
        elif isinstance(draft, dict):
            draft = draft.setdefault(step, {})
        else:
            raise AnnotationError(f"there is nothing at {path[:60]!r}")
    return draft


def _set(place: Any, name: str, value: Any) -> None:
    if isinstance(place, dict):
        if value is None:
            place.pop(name, None)
        else:
            place[name] = value
    elif isinstance(place, list) and name.isdecimal() and int(name) < len(place):
        place[int(name)] = value
    else:
        raise AnnotationError(f"there is nothing at {name[:60]!r}")
