"""What this node remembers of attempts between two saves, so that the next one is decided without reading.

It may be out of date at any time: whatever is decided by it is stored only under the ledger's filter (revision, status,
lease, operation), and nothing is refused by it. So it can make a save cheaper, but no answer another.
"""

from __future__ import annotations

from collections import OrderedDict

from documents.base import Row

KEPT = 2_000
_OF_ANSWERS = ("revision", "device_id", "seq", "op_id")


class LedgerMemory:
    """The attempts that were written last, without their values and operations."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, Row] = OrderedDict()

    def find(self, attempt_id: str) -> Row | None:
        """What is remembered of an attempt."""
        return self._rows.get(attempt_id)

    def keep(self, row: Row) -> None:
        """Remember an attempt as it is after a write; `row` holds all its answers."""
        answers = {one: {name: answer[name] for name in _OF_ANSWERS} for one, answer in row.get("answers", {}).items()}
        self._rows[row["_id"]] = {**row, "answers": answers, "ops": {}}
        self._rows.move_to_end(row["_id"])
        while len(self._rows) > KEPT:
            self._rows.popitem(last=False)

    def forget(self, attempt_id: str) -> None:
        """It is not so any more."""
        self._rows.pop(attempt_id, None)
