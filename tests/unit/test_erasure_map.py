"""The map of erasure against the list of all documents: nobody adds a collection without saying what becomes of people in it."""

from __future__ import annotations

from documents import DOCUMENTS
from lms_rt.services.erasure_map import ERASURE_MAP
from lms_rt.services.export_parts import ATTEMPTS, PARTS


def test_every_collection_is_in_the_map_once() -> None:
    mapped = [row.document for row in ERASURE_MAP]
    assert set(mapped) == set(DOCUMENTS)
    assert len(mapped) == len(set(mapped))


def test_what_is_removed_has_somebody_who_does_it_and_what_is_kept_has_not() -> None:
    assert all(row.step is not None for row in ERASURE_MAP if row.action == "removed")
    assert all(row.step is None for row in ERASURE_MAP if row.action == "kept")


def test_every_row_says_what_stays_and_where_it_is_exported_or_why_not() -> None:
    for row in ERASURE_MAP:
        assert row.stays, row.document
        assert row.exported.startswith(("not shown: ", *PARTS, ATTEMPTS)), (row.document, row.exported)


def test_every_file_of_an_export_comes_from_a_collection() -> None:
    assert set(PARTS) == {row.exported for row in ERASURE_MAP if row.exported in PARTS}
