"""How people are found: the folded key and tokens that an account carries, and the filters of lists of people. Pure.

The words of an address are kept apart from those of the name by a sign in front: who may not search by addresses does not
learn of one by finding somebody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from documents.base import Row
from lms_rt.contracts.users import AccountQuery, PeopleFilters
from lms_rt.services.folding import fold, query_tokens, search_tokens

_ADDRESS = "@"
_NAMELESS = "-"
_SORT_FIELDS: Mapping[str, str] = {"full_name": "name_key", "email": "email_key"}
_NOBODY: Row = {"_id": {"$in": []}}
_THERE: Row = {"erased_at": {"$exists": False}}
"""Of who was erased nothing is left to be shown."""


def found_by(full_name: str, email: str) -> dict[str, Any]:
    """What an account carries for look-ups, made from what it says now."""
    return {
        "name_key": fold(full_name, fold_arabic=True) or _NAMELESS,
        "search_tokens": [*search_tokens([full_name]), *(_ADDRESS + token for token in search_tokens([email]))],
    }


def learners_filter(query: PeopleFilters) -> Row:
    """Which of their students a teacher asks for: by their names alone."""
    return _all_of(_THERE, *_asked(query), *_named(query.q, ("",)))


def accounts_filter(query: PeopleFilters) -> Row:
    """Which accounts an administrator asks for: by names and addresses."""
    parts = [_THERE, *_asked(query), *_named(query.q, ("", _ADDRESS))]
    if isinstance(query, AccountQuery):
        parts += _known(query)
    return _all_of(*parts)


def named_filter(q: str) -> Row | None:
    """Of whom the words begin words of the name or the address, for who sees both anyway; None: nothing is asked."""
    parts = _named(q, ("", _ADDRESS))
    return _all_of(_THERE, *parts) if parts else None


def sorting(sort: str) -> Sequence[tuple[str, int]]:
    """The stored field and direction of a `sort` parameter."""
    name = sort.removeprefix("-")
    return [(_SORT_FIELDS.get(name, name), -1 if sort.startswith("-") else 1)]


def _asked(query: PeopleFilters) -> list[Row]:
    asked = {"role": query.role, "is_active": query.is_active}
    return [{name: value} for name, value in asked.items() if value is not None]


def _known(query: AccountQuery) -> list[Row]:
    """What administrators alone may ask."""
    parts: list[Row] = []
    if query.is_verified is not None:
        parts.append({"email_verified_at": {"$exists": query.is_verified}})
    if query.mfa_enabled is not None:
        parts.append({"mfa_enabled": query.mfa_enabled})
    if query.has_password is not None:
        parts.append({"password_hash": {"$ne": ""} if query.has_password else ""})
    if query.permission is not None:
        parts.append({"permissions": query.permission})
    return parts


def _named(q: str | None, kinds: Sequence[str]) -> list[Row]:
    """Every word of the query begins a word of the name, or of another kind that is given."""
    if q is None or not q.strip():
        return []
    words = query_tokens(q)
    return [{"search_tokens": {"$in": [kind + word for kind in kinds]}} for word in words] or [_NOBODY]


def _all_of(*parts: Row) -> Row:
    return {"$and": list(parts)}
