"""What a request's headers ask of the answer: `If-Match` and `Accept`. Only read here; services compare versions."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lms_rt.errors import Code, Refused

NO_VERSION = -1
"""Stands for an entity tag that no version of ours can have: it never matches."""

_TAG = re.compile(r'(W/)?"([^"]*)"')
_VERSION = re.compile(r"^[0-9]{1,18}$")


def expected_version(if_match: str | None) -> int | None:
    """The version that `If-Match` names; None without the header or for `*`. Weak tags never match (RFC 9110)."""
    if if_match is None or if_match.strip() == "*":
        return None
    versions = {
        int(tag) for weak, tag in _TAG.findall(if_match) if not weak and _VERSION.match(tag)
    }  # a tag of another shape, or none at all, cannot be a version of ours
    if len(versions) > 1:
        raise Refused(Code.MALFORMED_REQUEST, "If-Match takes one version here.")
    return versions.pop() if versions else NO_VERSION


def refuse_unacceptable(accept: str | None, gives: Sequence[str]) -> None:
    """406 when the client takes none of the media types that the operation gives."""
    if not accept:
        return
    ranges = dict(filter(None, (_range(item) for item in accept.split(","))))
    if ranges and not any(_weight(media_type, ranges) > 0 for media_type in gives):
        raise Refused(Code.NOT_ACCEPTABLE, f"This is given as {', '.join(gives)}.", gives=list(gives))


def preferred(accept: str | None, gives: Sequence[str]) -> str:
    """What of it the client likes best; of equals the first."""
    ranges = dict(filter(None, (_range(item) for item in (accept or "*/*").split(","))))
    return max(gives, key=lambda media_type: _weight(media_type, ranges))


def _range(item: str) -> tuple[str, float] | None:
    """A media range and its weight; None for what is no media range."""
    name, *parameters = (part.strip().lower() for part in item.split(";"))
    if name == "*":  # some old clients mean */*
        name = "*/*"
    if "/" not in name:
        return None
    weight = next((p[2:] for p in parameters if p.startswith("q=")), "1")
    try:
        return name, float(weight)
    except ValueError:
        return name, 1.0


def _weight(media_type: str, ranges: dict[str, float]) -> float:
    """By the most specific range that covers it; 0: it is not accepted."""
    family = media_type.partition("/")[0]
    for name in (media_type, f"{family}/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return 0.0
