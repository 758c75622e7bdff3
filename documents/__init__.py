"""The data: one Beanie document per file, its indexes and its queries. `DOCUMENTS` lists them for the start."""

from __future__ import annotations

from documents.base import Record

DOCUMENTS: tuple[type[Record], ...] = ()
"""Every document class; the store makes their collections and indexes at start."""
