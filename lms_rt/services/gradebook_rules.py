"""What the grades of a course come to: pure arithmetic in exact fractions, rounded once by whoever shows it.

The rules, with worked examples that a test reads, stand in `docs/gradebook.md`. Points are hundredths of a point.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from lms_rt.services.grading import round_half_up

WHOLE = 10_000
"""A hundred percent, in hundredths."""
_NOTHING = Fraction(0)


class State(StrEnum):
    """Where one grade stands. `open`: nothing is there yet, and there is time."""

    GRADED = "graded"
    WAITING = "waiting"
    MISSING = "missing"
    OPEN = "open"
    EXCUSED = "excused"


@dataclass(frozen=True, slots=True)
class Item:
    """What is graded. Without a category it counts only where there are no categories at all."""

    item_id: str
    points: int
    category_id: str | None = None


@dataclass(frozen=True, slots=True)
class Category:
    """Items that count together. `is_equal`: each of them as much as another, whatever its points."""

    category_id: str
    weight: int
    drop_lowest: int = 0
    is_equal: bool = False


@dataclass(frozen=True, slots=True)
class Letter:
    """From how much on one is given this letter."""

    letter: str
    minimum: int


@dataclass(frozen=True, slots=True)
class Policy:
    """How a course is graded."""

    categories: tuple[Category, ...] = ()
    counts_missing: bool = False
    scale: tuple[Letter, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """One grade of one student; its points are exact, and None where there is none."""

    state: State
    points: Fraction | None = None


OPEN = Cell(State.OPEN)


@dataclass(frozen=True, slots=True)
class Part:
    """What a category (None: all items together) came to, and with which weight that counts. `share` 1 is all of it."""

    category_id: str | None
    points: Fraction
    most: int
    share: Fraction | None
    weight: Fraction


@dataclass(frozen=True, slots=True)
class Standing:
    """What a student has: the share of everything (None: nothing counts yet), its parts, and what was left out as lowest."""

    share: Fraction | None
    parts: tuple[Part, ...]
    dropped: frozenset[str]


def standing_of(items: Sequence[Item], cells: Mapping[str, Cell], policy: Policy) -> Standing:
    """What these grades come to."""
    counted = _counted(items, cells, counts_missing=policy.counts_missing)
    if not policy.categories:
        part, _ = _part(Category("", WHOLE), counted)
        whole = Part(None, part.points, part.most, part.share, Fraction(0 if part.share is None else 1))
        return Standing(part.share, (whole,), frozenset())
    found = [_part(category, _of(counted, category.category_id)) for category in policy.categories]
    dropped = frozenset(one for _, left_out in found for one in left_out)
    told = sum((part.weight for part, _ in found if part.share is not None), _NOTHING)
    parts = tuple(_weighed(part, told) for part, _ in found)
    if not told:
        return Standing(None, parts, dropped)
    share = sum((part.weight * part.share for part in parts if part.share is not None), _NOTHING)
    return Standing(share, parts, dropped)


def letter_of(hundredths: Fraction | int | None, scale: Iterable[Letter]) -> str | None:
    """The letter of a percentage in hundredths, which is not rounded before: 89.999 is less than 90."""
    if hundredths is None:
        return None
    reached = [one for one in scale if one.minimum <= hundredths]
    return max(reached, key=lambda one: one.minimum).letter if reached else None


def percentage_of(share: Fraction | None) -> int | None:
    """A share in hundredths of a percent, half up: the one time that it is rounded."""
    return None if share is None else round_half_up(share * WHOLE)


_Scored = tuple[Item, Fraction]


def _counted(items: Iterable[Item], cells: Mapping[str, Cell], *, counts_missing: bool) -> list[_Scored]:
    """What counts, with its points. What can bring no points counts nowhere."""
    found: list[_Scored] = []
    for item in items:
        cell = cells.get(item.item_id, OPEN)
        if item.points <= 0:
            continue
        if cell.state is State.GRADED and cell.points is not None:
            found.append((item, cell.points))
        elif cell.state is State.MISSING and counts_missing:
            found.append((item, _NOTHING))
    return found


def _of(counted: Iterable[_Scored], category_id: str) -> list[_Scored]:
    return [one for one in counted if one[0].category_id == category_id]


def _part(category: Category, counted: Sequence[_Scored]) -> tuple[Part, list[str]]:
    kept, left_out = _without_lowest(counted, category.drop_lowest, is_equal=category.is_equal)
    points, most = sum((got for _, got in kept), _NOTHING), sum(item.points for item, _ in kept)
    share: Fraction | None = None
    if kept and category.is_equal:
        share = sum((got / item.points for item, got in kept), _NOTHING) / len(kept)
    elif kept:
        share = points / most
    return Part(category.category_id, points, most, share, Fraction(category.weight)), left_out


def _without_lowest(counted: Sequence[_Scored], number: int, *, is_equal: bool) -> tuple[Sequence[_Scored], list[str]]:
    """Without those so many items without which the rest comes to the most. One always stays."""
    number = min(number, len(counted) - 1)
    if number <= 0:
        return counted, []
    gone = _lowest(counted, number) if is_equal else _heaviest(counted, number)
    return [one for at, one in enumerate(counted) if at not in gone], [counted[at][0].item_id for at in sorted(gone)]


def _lowest(counted: Sequence[_Scored], number: int) -> set[int]:
    """Where each counts alike: the lowest shares; of equals those with more points, then the later ones."""
    places = range(len(counted))
    return set(sorted(places, key=lambda at: (_share(counted[at]), -counted[at][0].points, -at))[:number])


def _heaviest(counted: Sequence[_Scored], number: int) -> set[int]:
    """Where points are added up: those that weigh the whole down most, which need not be the lowest shares.

    Found by Dinkelbach's iteration: leave out what falls most short of the share reached so far, until nothing is gained. By
    shares alone a better grade of a large item could save it, leave out a small one, and lower the whole.
    """
    reached, best, gone = Fraction(-1), set[int](), _lowest(counted, number)
    while True:
        kept = [one for at, one in enumerate(counted) if at not in gone]
        share = sum((got for _, got in kept), _NOTHING) / sum(item.points for item, _ in kept)
        if share <= reached:
            return best
        reached, best = share, gone
        short = [got - share * item.points for item, got in counted]
        places = sorted(range(len(counted)), key=lambda at: (short[at], -counted[at][0].points, -at))
        gone = set(places[:number])


def _share(one: _Scored) -> Fraction:
    return one[1] / one[0].points


def _weighed(part: Part, told: Fraction) -> Part:
    """The part with its weight among those that have something: the others' weight is shared out."""
    weight = part.weight / told if told and part.share is not None else _NOTHING
    return Part(part.category_id, part.points, part.most, part.share, weight)
