# mypy: disallow-untyped-calls=False
"""Reading some of many documents of the embedded store without the price of all: what is sorted natively, and what is copied.

mongomock copies every document that fits before it looks at the limit, and compares two values of a sort in a dozen steps.
The results are the same as its own, which a test holds this to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import islice
from typing import Any, Self

from mongomock import helpers
from mongomock.collection import Cursor
from mongomock.filtering import resolve_key

from lms_rt.storage.embedded.file import Document

_NATIVE = (str, datetime, int)
"""Values of one of these compare as BSON does, as long as all are of the same. (Not of their subclasses: True is no number.)"""


class LimitedCursor(Cursor):
    """A cursor that copies no more documents than its limit lets through."""

    _kept: tuple[Callable[[], Iterable[Document]], int, int] | None = None
    _copies: list[Document]

    @classmethod
    def like(cls, cursor: Cursor) -> Self:
        """The same question, asked by such a cursor."""
        made = cls.__new__(cls)
        vars(made).update(vars(cursor))
        return made

    def _compute_results(self, with_limit_and_skip: bool = False) -> list[Document]:
        limit = abs(self._limit or 0)
        if not (with_limit_and_skip and limit):
            found: list[Document] = super()._compute_results(with_limit_and_skip)
            return found
        wanted = (self._factory, self._skip, limit)
        if self._kept != wanted:
            documents = islice(self._factory(), self._skip, self._skip + limit)
            self._copies = [helpers.make_datetime_timezone_aware_in_document(one) for one in documents]
            self._kept = wanted
        return self._copies


def sorted_natively(documents: list[Document], sort: Any) -> list[Document] | None:
    """The documents in order; None where values of several types, or none at all, are to be compared: by BSON's rules then."""
    pairs = list(sort.items() if isinstance(sort, dict) else sort)
    for field, direction in reversed(pairs):
        if field.startswith("$"):
            return None
        if "." in field:
            values = [resolve_key(field, document) for document in documents]
        else:  # the same, without its dozen steps for each
            values = [document.get(field) for document in documents]
        if len(kinds := set(map(type, values))) > 1 or not kinds <= set(_NATIVE):
            return None
        order = sorted(range(len(documents)), key=values.__getitem__, reverse=direction < 0)
        documents = [documents[place] for place in order]
    return documents
