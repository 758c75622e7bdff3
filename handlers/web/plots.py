"""The geometry of plots: where bars and dots stand in a drawing of fixed size. The templates draw, in SVG.

A drawing runs from its beginning to its end: where the language is written from right to left, it is mirrored here, so
that no letter and no digit is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 320, 200
_START, _END, _TOP, _BOTTOM = 34, 20, 16, 34
_GAP = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its corner, its size, and the middle of it."""

    x: float
    y: float
    width: float
    height: float
    middle: float
    count: int


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on an axis, with its value."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class Dot:
    """A question at its place; `others` are those that lie under it."""

    x: float
    y: float
    orders: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """The drawing: its size, the edges of the plot in it, and where the labels of the upright axis stand."""

    start: float
    end: float
    label_x: float
    label_anchor: str
    top: float = _TOP
    bottom: float = HEIGHT - _BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


def frame(*, is_mirrored: bool) -> Frame:
    """The drawing of a reading direction."""
    start, end = (WIDTH - _START, _END) if is_mirrored else (_START, WIDTH - _END)
    if is_mirrored:
        return Frame(float(start), float(end), start + 6.0, "start")
    return Frame(float(start), float(end), start - 6.0, "end")


def across(place: Frame, share: float) -> float:
    """Where a share of the width lies, from the beginning."""
    return round(place.start + (place.end - place.start) * share, 2)


def upward(place: Frame, share: float) -> float:
    """Where a share of the height lies, from the ground."""
    return round(place.bottom - (place.bottom - place.top) * share, 2)


def bars(counts: Sequence[int], place: Frame) -> list[Bar]:
    """A bar for each count, side by side; the highest reaches the top."""
    highest = max(counts, default=0) or 1
    width = abs(place.end - place.start) / max(1, len(counts))
    found = []
    for n, count in enumerate(counts):
        middle, top = across(place, (n + 0.5) / len(counts)), upward(place, count / highest)
        thin = round(width - _GAP, 2)
        found.append(Bar(round(middle - thin / 2, 2), top, thin, round(place.bottom - top, 2), middle, count))
    return found


def marks_across(values: Sequence[float], place: Frame, *, lowest: float, highest: float) -> list[Mark]:
    """These values on the level axis."""
    return [Mark(across(place, (value - lowest) / (highest - lowest)), value) for value in values]


def marks_upward(values: Sequence[float], place: Frame, *, lowest: float, highest: float) -> list[Mark]:
    """These values on the upright axis."""
    return [Mark(upward(place, (value - lowest) / (highest - lowest)), value) for value in values]


def dots(points: Sequence[tuple[int, float, float]], place: Frame, *, lowest: float, highest: float) -> list[Dot]:
    """A dot for each (number, share across, value upward); those at the same place are one, with all their numbers.

    What lies below the lowest value stands on the ground.
    """
    found: dict[tuple[float, float], tuple[int, ...]] = {}
    for order, share, value in points:
        height = (min(max(value, lowest), highest) - lowest) / (highest - lowest)
        at = across(place, share), upward(place, height)
        near = next((one for one in found if abs(one[0] - at[0]) < 9 and abs(one[1] - at[1]) < 9), at)
        found[near] = (*found.get(near, ()), order)
    return [Dot(x, y, orders) for (x, y), orders in found.items()]
