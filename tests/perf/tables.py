"""Results: samples, tables of contestants, and the goals that they are held against. Medians and ratios; no measuring."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.perf.contestants import OURS


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: the figure, and how busy the load's core was meanwhile (None: nobody looked)."""

    value: float
    load_share: float | None = None


@dataclass(slots=True)
class Table:
    """One scenario's figures by contestant, lower is better."""

    key: str
    title: str
    unit: str
    rows: dict[str, list[Sample]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    note: str = ""

    def add(self, name: str, sample: Sample) -> None:
        """One run more of this contestant."""
        self.rows.setdefault(name, []).append(sample)

    def value(self, name: str) -> float | None:
        """The median of its runs; None: it did not run."""
        samples = self.rows.get(name)
        return median(sample.value for sample in samples) if samples else None

    def load_share(self, name: str) -> float | None:
        """The median of the load's."""
        shares = [sample.load_share for sample in self.rows.get(name, ()) if sample.load_share is not None]
        return median(shares) if shares else None

    def as_json(self) -> dict[str, Any]:
        """Every run, for machines."""
        return {
            "key": self.key,
            "title": self.title,
            "unit": self.unit,
            "median": {name: self.value(name) for name in self.rows},
            "runs": {name: [sample.value for sample in samples] for name, samples in self.rows.items()},
            "load_share": {name: self.load_share(name) for name in self.rows},
            "absent": self.absent,
        }


@dataclass(frozen=True, slots=True)
class Goal:
    """Ours must (or aims to) be at most `limit` times `against`, or at most `limit` where nobody is named."""

    table: str
    level: str
    limit: float
    against: str | None = None
    row: str = OURS

    def measured(self, tables: Mapping[str, Table]) -> float | None:
        """The ratio, or the figure itself; None: one of the two did not run."""
        table = tables.get(self.table)
        ours = table.value(self.row) if table is not None else None
        if table is None or ours is None or self.against is None:
            return ours
        other = table.value(self.against)
        return ours / other if other else None

    def words(self, tables: Mapping[str, Table]) -> str:
        """As a person says it."""
        table = tables[self.table]
        if self.against is None:
            return f"{self.row}: ≤ {self.limit:g} {table.unit}"
        return f"≤ {self.limit:g} × {self.against}"


def printed(table: Table) -> str:
    """For a terminal."""
    return "\n".join([f"{table.title} ({table.unit})", *_columns(_cells(table)), *_remarks(table)])


def printed_goals(goals: Iterable[Goal], tables: Mapping[str, Table]) -> str:
    """Which goals hold."""
    return "\n".join(["Goals", *_columns([("scenario", "", "goal", "measured", ""), *_goal_cells(goals, tables)])])


def as_markdown(goals: Iterable[Goal], tables: Mapping[str, Table]) -> str:
    """For the page."""
    parts = [
        "## Goals\n\n" + _markdown([("scenario", "level", "goal", "measured", ""), *_goal_cells(goals, tables)]),
    ]
    for table in tables.values():
        remarks = "".join(f"\n{remark}\n" for remark in _remarks(table))
        parts.append(
            f"## {table.title}\n\n{table.unit[0].upper()}{table.unit[1:]}\n\n{_markdown(_cells(table))}{remarks}"
        )
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _cells(table: Table) -> list[Sequence[str]]:
    """A head and a row for each contestant: median, lowest and highest run, ratio to ours, load's share."""
    ours = table.value(OURS)
    cells: list[Sequence[str]] = [("", "median", "runs", "ours is", "load's core")]
    for name, samples in table.rows.items():
        value, share = table.value(name), table.load_share(name)
        values = [sample.value for sample in samples]
        ratio = f"{ours / value:.2f} ×" if ours is not None and value and name != OURS else ""
        runs = f"{_number(min(values))} … {_number(max(values))}" if len(values) > 1 else ""
        cells.append((name, _number(value), runs, ratio, "" if share is None else f"{share:.0%}"))
    kept = [n for n in range(len(cells[0])) if n == 0 or any(row[n] for row in cells[1:])]
    return [[row[n] for n in kept] for row in cells]


def _goal_cells(goals: Iterable[Goal], tables: Mapping[str, Table]) -> list[Sequence[str]]:
    cells: list[Sequence[str]] = []
    for goal in goals:
        if goal.table in tables and (measured := goal.measured(tables)) is not None:
            holds = "holds" if measured <= goal.limit else "missed"
            shown = f"{measured:.2f} ×" if goal.against else _number(measured)
            cells.append((tables[goal.table].title, goal.level, goal.words(tables), shown, holds))
    return cells


def _remarks(table: Table) -> list[str]:
    absent = [f"Not run here: {name}; missing: {reason}." for name, reason in table.absent.items()]
    return [*([table.note] if table.note else []), *absent]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _columns(cells: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    return [
        "  " + "  ".join(f"{cell:{'<' if n == 0 else '>'}{widths[n]}}" for n, cell in enumerate(row)).rstrip()
        for row in cells
    ]


def _markdown(cells: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    return "\n".join([lines[0], "|" + " --- |" * len(cells[0]), *lines[1:]])
