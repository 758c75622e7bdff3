"""What grades come to: the worked examples of docs/gradebook.md, and what holds whatever the grades are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_rt.contracts.base import hundredths_text
from lms_rt.services.gradebook_facts import DEFAULT_SCALE
from lms_rt.services.gradebook_rules import (
    WHOLE,
    Category,
    Cell,
    Item,
    Letter,
    Policy,
    State,
    letter_of,
    percentage_of,
    standing_of,
)

DOCS = Path(__file__).parents[2] / "docs" / "gradebook.md"
SCALE = tuple(Letter(**one) for one in DEFAULT_SCALE)
_CATEGORY = re.compile(r"(?P<name>\w+) (?P<weight>\d+)(?: drop (?P<drop>\d+))?(?P<equal> equal)?")


def examples() -> Iterator[list[str]]:
    lines = DOCS.read_text().split("### Worked examples")[1].split("\n## ")[0].splitlines()
    rows = [line for line in lines if line.startswith("| ")][2:]
    assert len(rows) >= 20
    for row in rows:
        yield [cell.strip() for cell in row.removeprefix("|").removesuffix("|").split("|")]


def policy(categories: str, missing: str) -> Policy:
    found = [] if categories == "–" else [_CATEGORY.fullmatch(part.strip()) for part in categories.split(";")]
    return Policy(
        tuple(
            Category(one["name"], int(one["weight"]), int(one["drop"] or 0), is_equal=bool(one["equal"]))
            for one in found
            if one is not None
        ),
        counts_missing=missing == "zero",
        scale=SCALE,
    )


def graded(text: str) -> tuple[list[Item], dict[str, Cell]]:
    items: list[Item] = []
    cells: dict[str, Cell] = {}
    for group in text.split(";"):
        name, _, list_of = group.rpartition(":")
        for grade in list_of.split(","):
            got, most = grade.strip().split("/")
            item = Item(str(len(items) + 1), int(Decimal(most) * 100), name.strip() or None)
            items.append(item)
            is_word = got.isalpha()
            cells[item.item_id] = Cell(State(got)) if is_word else Cell(State.GRADED, Fraction(got) * 100)
    return items, cells


@pytest.mark.parametrize("row", list(examples()), ids=lambda row: row[0])
def test_the_worked_examples(row: list[str]) -> None:
    _, categories, grades, missing, comes_to, letter, *left_out = row
    rules = policy(categories, missing)
    items, cells = graded(grades)
    found = standing_of(items, cells, rules)
    percentage = percentage_of(found.share)
    exact = None if found.share is None else found.share * WHOLE
    shown = ("–" if percentage is None else hundredths_text(percentage), letter_of(exact, SCALE) or "–")
    assert shown == (comes_to, letter)
    assert found.dropped == frozenset(one for one in " ".join(left_out).split())


CELLS = st.one_of(
    st.integers(0, 4_000).map(lambda points: Cell(State.GRADED, Fraction(points))),
    st.sampled_from([Cell(State.MISSING), Cell(State.OPEN), Cell(State.WAITING), Cell(State.EXCUSED)]),
)
PLACED = st.lists(st.tuples(st.integers(0, 2_000), st.sampled_from(["a", "b", None]), CELLS), max_size=8)
CATEGORIES = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 3), st.booleans()), min_size=2, max_size=2).map(
    lambda rows: tuple(
        Category(name, weight, drop, equal) for name, (weight, drop, equal) in zip("ab", rows, strict=True)
    )
)


def laid(placed: list[tuple[int, str | None, Cell]]) -> tuple[list[Item], dict[str, Cell]]:
    items = [Item(str(number), points, name) for number, (points, name, _) in enumerate(placed)]
    return items, {str(number): cell for number, (_, _, cell) in enumerate(placed)}


@settings(max_examples=30)
@given(PLACED, CATEGORIES, st.booleans())
def test_leaving_out_the_lowest_never_lowers_a_grade(
    placed: list[tuple[int, str | None, Cell]], categories: tuple[Category, ...], zero: bool
) -> None:
    items, cells = laid(placed)
    found = standing_of(items, cells, Policy(categories, zero))
    kept = tuple(Category(one.category_id, one.weight, 0, one.is_equal) for one in categories)
    whole = standing_of(items, cells, Policy(kept, zero))
    assert (found.share is None) == (whole.share is None)
    if found.share is not None and whole.share is not None:
        assert found.share >= whole.share


@settings(max_examples=30)
@given(PLACED, CATEGORIES, st.booleans())
def test_the_whole_is_what_its_parts_say(
    placed: list[tuple[int, str | None, Cell]], categories: tuple[Category, ...], zero: bool
) -> None:
    items, cells = laid(placed)
    for rules in (Policy((), zero), Policy(categories, zero)):
        found = standing_of(items, cells, rules)
        told = [part for part in found.parts if part.share is not None]
        assert not any(part.weight for part in found.parts if part.share is None) or found.share is None
        if found.share is None:
            assert not any(part.weight for part in told)
            continue
        assert sum(part.weight for part in told) == 1
        assert found.share == sum((part.weight * part.share for part in told if part.share is not None), Fraction(0))
        low, high = min(part.share for part in told), max(part.share for part in told)  # type: ignore[type-var]
        assert low <= found.share <= high  # type: ignore[operator]


@settings(max_examples=30)
@given(PLACED, st.integers(0, 7), st.integers(1, 500))
def test_a_better_grade_never_lowers_the_whole(
    placed: list[tuple[int, str | None, Cell]], which: int, more: int
) -> None:
    items, cells = laid(placed)
    cell = cells.get(str(which))
    if cell is None or cell.points is None:
        return
    better = cells | {str(which): Cell(State.GRADED, cell.points + more)}
    for rules in (Policy(), Policy((Category("a", 3, 1), Category("b", 1, 2, is_equal=True)))):
        before, after = standing_of(items, cells, rules).share, standing_of(items, better, rules).share
        assert before is None or (after is not None and after >= before)
