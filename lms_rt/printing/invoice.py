"""An invoice as it is printed: what is on one, in words. What it says, others decide; `invoice_sheet.py` draws it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Position:
    """One row: what it is for, and its amounts as they are written, one for each column."""

    words: str
    amounts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PrintedInvoice:
    """All that is on one, in words. `facts` are (name, value) above the table, `sums` end it, `notes` are the lines below.

    `columns` are the words of the first column and of each column of amounts, one or three.
    """

    language: str
    heading: str
    number: str
    seller: str
    seller_lines: tuple[str, ...]
    buyer_heading: str
    buyer: str
    facts: tuple[tuple[str, str], ...]
    columns: tuple[str, ...]
    positions: tuple[Position, ...]
    sums: tuple[Position, ...]
    total: Position
    total_in_words: str
    notes: tuple[str, ...]
    is_shaped: bool = True
    """False: as before words were set with their marks."""


def print_invoice(facts: PrintedInvoice) -> bytes:
    """The PDF: the same bytes for the same facts, in every process. Takes tens of milliseconds: not on the event loop."""
    from lms_rt.printing.invoice_sheet import drawn  # noqa: PLC0415 - 0.2 s and 8 MiB that only who prints needs

    return drawn(facts)
