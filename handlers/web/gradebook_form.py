"""The form of how a course is graded: its rows from the settings, and from what was typed, back to a change. No page here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from handlers.web.base import shape
from lms_rt.contracts.gradebook import MAX_CATEGORIES, MAX_LETTERS, GradebookView

EMPTY_CATEGORIES, EMPTY_LETTERS = 2, 3
"""So many rows are free for more."""
BY_KIND, NOWHERE = "by_kind", "nowhere"
"""Where an item is that was put into no category by hand, and one that was put into none at all."""
_CATEGORY = ("id", "name", "weight", "drop_lowest", "weighing", "takes")
_EMPTY = {"id": "", "name": "", "weight": "", "drop_lowest": "0", "weighing": "points", "takes": "none"}


@dataclass(slots=True)
class Typed:
    """What stands in the form, all of it texts."""

    categories: list[dict[str, str]] = field(default_factory=list)
    placed: dict[str, str] = field(default_factory=dict)
    letters: list[dict[str, str]] = field(default_factory=list)
    missing: str = "ignore"

    def body(self) -> dict[str, Any]:
        """As PATCH takes it; rows without a name are none, and what was in them is in none."""
        kept = {row["id"] for _, row in self._named(self.categories, "name")}
        return {
            "categories": [_category(row) for _, row in self._named(self.categories, "name")],
            "placed": [
                {"item_id": item_id, "category_id": place if place in kept else None}
                for item_id, place in self.placed.items()
                if place != BY_KIND
            ],
            "scale": [
                {"letter": row["letter"], "minimum": _decimal(row["minimum"])}
                for _, row in self._named(self.letters, "letter")
            ],
            "missing": self.missing,
        }

    def element_of(self, fault_field: str) -> str:
        """The field of the form that a fault of the body is about."""
        group, _, rest = fault_field.partition(".")
        number, _, name = rest.partition(".")
        rows = {"categories": (self.categories, "name"), "scale": (self.letters, "letter")}
        if group not in rows or not number.isdecimal():
            return "rules"
        places = [place for place, _ in self._named(*rows[group])]
        place = places[int(number)] if int(number) < len(places) else 0
        return f"{name or rows[group][1]}-{place}"

    @staticmethod
    def _named(rows: Iterable[dict[str, str]], name: str) -> list[tuple[int, dict[str, str]]]:
        return [(place, row) for place, row in enumerate(rows) if row[name].strip()]


def settings_typed(book: GradebookView) -> Typed:
    """The settings as they are, with free rows."""
    shown = shape(book)
    categories = [{name: str(row[name]) for name in _CATEGORY} for row in shown["categories"]]
    letters = [{"letter": row["letter"], "minimum": row["minimum"]} for row in shown["scale"]]
    return Typed(
        categories=categories + [dict(_EMPTY) for _ in range(EMPTY_CATEGORIES)],
        placed={row["item_id"]: row["category_id"] or NOWHERE for row in shown["placed"]},
        letters=letters + [{"letter": "", "minimum": ""} for _ in range(EMPTY_LETTERS)],
        missing=shown["missing"],
    )


def typed_of(read: Callable[[str], str], item_ids: Iterable[str]) -> Typed:
    """What was typed: as many rows as were sent, and never more than there may be."""
    categories = [
        {name: read(f"{name}-{place}").strip() or _EMPTY[name] for name in _CATEGORY}
        for place in range(_count(read, "categories", MAX_CATEGORIES))
    ]
    letters = [
        {name: read(f"{name}-{place}").strip() for name in ("letter", "minimum")}
        for place in range(_count(read, "letters", MAX_LETTERS))
    ]
    placed = {item_id: read(f"place-{item_id}") or BY_KIND for item_id in item_ids}
    return Typed(categories, placed, letters, read("missing") or "ignore")


def _count(read: Callable[[str], str], name: str, most: int) -> int:
    text = read(f"{name}_count")
    return min(most, int(text)) if text.isdecimal() and len(text) <= 3 else 0


def _category(row: dict[str, str]) -> dict[str, Any]:
    dropped = row["drop_lowest"].strip()
    return {
        **{name: row[name] for name in ("name", "weighing", "takes")},
        "weight": _decimal(row["weight"]),
        "drop_lowest": int(dropped) if dropped.isascii() and dropped.isdecimal() and len(dropped) < 4 else dropped,
        **({"id": row["id"]} if row["id"] else {}),
    }


def _decimal(text: str) -> str:
    """A number as it is typed in either script."""
    western = "".join(str(int(sign)) if sign.isdecimal() else sign for sign in text.strip())
    return western.replace("٫", ".").replace(",", ".").removesuffix("%").strip()
