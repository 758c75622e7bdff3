"""Cutting a file into questions: lines, comments, categories, blank lines between questions. One pass, linear time.

What a question says is not for here: `reader.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lms_rt.interchange.gift.escapes import SPACES, hold

_CATEGORY = re.compile(r"^[ \t]*\$CATEGORY:(.*)$")
_ROOT = re.compile(r"^\$(?:course|module|coursecat|system)\$/?")


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    text: str
    is_comment: bool = False


@dataclass(slots=True)
class Chunk:
    """The lines of one question with its comments; `text` has its escapes held."""

    category: str | None
    lines: list[_Line] = field(default_factory=list)

    @property
    def line(self) -> int:
        """The number of its first line that is not a comment."""
        return next(line.number for line in self.lines if not line.is_comment)

    @property
    def text(self) -> str:
        """Everything but the comments."""
        return "\n".join(line.text for line in self.lines if not line.is_comment)

    @property
    def comments(self) -> list[str]:
        """The comments, without their slashes, as they were written."""
        return [line.text for line in self.lines if line.is_comment]

    @property
    def is_empty(self) -> bool:
        """There is nothing but comments."""
        return all(line.is_comment for line in self.lines)


def cut(text: str) -> Iterator[Chunk]:
    """The questions of a file, in order."""
    blocks = list(_blocks(text))
    at = 0
    while at < len(blocks):
        taken = _reach(blocks, at)
        for chunk in _split(_joined(blocks[at:taken])):
            if not chunk.is_empty:
                yield chunk
        at = taken


def _blocks(text: str) -> Iterator[Chunk]:
    """What stands between blank lines and category lines."""
    category: str | None = None
    block = Chunk(category)
    for number, raw in enumerate(text.split("\n"), start=1):
        stripped = raw.strip(SPACES)
        found = _CATEGORY.match(raw)
        if stripped.startswith("//"):
            block.lines.append(_Line(number, stripped[2:], is_comment=True))
        elif stripped and not found:
            block.lines.append(_Line(number, hold(raw)))
        elif block.lines:
            yield block
            block = Chunk(category)
        if found:
            category = _category(found[1])
            block = Chunk(category)
    if block.lines:
        yield block


def _category(written: str) -> str | None:
    """Moodle's path without its root: `$course$/top/Unit 1` is `Unit 1`."""
    path = written.strip(SPACES)
    bare = _ROOT.sub("", path)
    if bare != path:
        bare = re.sub(r"^top(?:/|$)", "", bare)
    return bare or None


def _is_open(chunk: Chunk, *, was_open: bool = False) -> bool:
    """Do its answers go on beyond its end?"""
    for line in chunk.lines:
        if not line.is_comment:
            last = max(line.text.rfind("{"), line.text.rfind("}"))
            was_open = was_open if last < 0 else line.text[last] == "{"
    return was_open


def _first_brace(chunk: Chunk) -> str:
    found = (re.search("[{}]", line.text) for line in chunk.lines if not line.is_comment)
    return next((one[0] for one in found if one), "")


def _reach(blocks: list[Chunk], at: int) -> int:
    """How far the block at `at` goes: blank lines inside braces do not end it, if a brace closes before another opens."""
    taken = at + 1
    while _is_open(blocks[taken - 1], was_open=taken - 1 > at):
        ahead = taken
        while ahead < len(blocks) and blocks[ahead].category == blocks[at].category and not _first_brace(blocks[ahead]):
            ahead += 1
        if ahead == len(blocks) or blocks[ahead].category != blocks[at].category or _first_brace(blocks[ahead]) != "}":
            return taken
        taken = ahead + 1
    return taken


def _joined(blocks: list[Chunk]) -> Chunk:
    joined = Chunk(blocks[0].category, list(blocks[0].lines))
    for block in blocks[1:]:
        joined.lines += [_Line(block.lines[0].number - 1, ""), *block.lines]
    return joined


def _split(chunk: Chunk) -> Iterator[Chunk]:
    """Questions that follow one another without a blank line: a line ends with `}`, and another question comes."""
    opens_later, later = [False] * len(chunk.lines), False
    for place in range(len(chunk.lines) - 1, -1, -1):
        opens_later[place] = later
        line = chunk.lines[place]
        later = later or (not line.is_comment and ("{" in line.text or line.text.lstrip(SPACES).startswith("::")))
    part = Chunk(chunk.category)
    for line, more in zip(chunk.lines, opens_later, strict=True):
        part.lines.append(line)
        if more and not line.is_comment and line.text.rstrip(SPACES).endswith("}"):
            yield part
            part = Chunk(chunk.category)
    yield part
