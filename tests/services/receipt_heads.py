"""What the head of a receipt's chain has to be, by what is stored of the operations; for tests that judge every step."""

from __future__ import annotations

from typing import Any

from documents.base import Row
from lms_rt.services.receipt_chain import begun, operations_of


def head_of(row: Row) -> list[Any]:
    """The head that belongs to the written operations of an attempt."""
    operations = operations_of(row["_id"], row["ops"])
    return [len(operations), operations[-1]["hash"]] if operations else begun(row["_id"])
