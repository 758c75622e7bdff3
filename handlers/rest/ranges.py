"""Which part of a file a request asks for: `Range`, `If-Range` and `If-None-Match` by RFC 9110. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lms_rt.errors import Code, Refused

_RANGE = re.compile(r"bytes=[ \t]{0,4}(\d{0,18})-(\d{0,18})[ \t]{0,4}", re.IGNORECASE)
_TAG = re.compile(r'(?:W/)?"([^"]{0,200})"')


@dataclass(frozen=True, slots=True)
class Part:
    """So many bytes from `start` on."""

    start: int
    size: int


def asked_part(range_header: str | None, size: int) -> Part | None:
    """The part that is asked for; None: all of it.

    Of several parts at once, and of what is no range, the answer is the whole, as the RFC allows; 416 when nothing is there.
    """
    match = _RANGE.fullmatch((range_header or "").strip())
    if match is None or match.group(1, 2) == ("", ""):
        return None
    first, last = match.group(1), match.group(2)
    if not first:
        start, end = max(0, size - int(last)), size - 1
        if not int(last) or not size:
            raise _unsatisfiable(size)
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
    if start >= size:
        raise _unsatisfiable(size)
    return Part(start, end - start + 1)


def is_known(if_none_match: str | None, tag: str) -> bool:
    """Has the client what there is? Weakly compared, as RFC 9110 wants it here."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or tag in _TAG.findall(if_none_match[:4096])


def holds(if_range: str | None, tag: str) -> bool:
    """Is the part still one of what the client has? A weak tag never is, nor a date: files have none."""
    return if_range is None or if_range.strip() == f'"{tag}"'


def _unsatisfiable(size: int) -> Refused:
    return Refused(Code.RANGE_NOT_SATISFIABLE, f"The file has {size} bytes.", content_range=f"bytes */{size}")
