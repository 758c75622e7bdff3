"""Taking a person out of what speaks of them: names become …, addresses go, ids stay. Pure.

An id leads to nobody once the account behind it holds nothing; the school's numbers, and its order of events, rest on it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

WITHHELD = "…"
"""Stands where a name stood, in any language."""
ERASED_DOMAIN = "erased.invalid"
"""No mail can ever be sent there (RFC 2606)."""

_OWNER_IDS = ("id", "user_id", "student_id")
_MAKER_IDS = ("instructor_id", "author_id", "sender_id", "created_by")
_NAMES = ("full_name", "student_name", "instructor_name", "author_name", "sender_name")
_FOR_MACHINES = frozenset({"id", "kind", "link", "role", "status"})
_FOR_MACHINES_ENDS = ("_at", "_id", "_url")
_FIELDS: Mapping[str, Any] = {
    **dict.fromkeys(_NAMES, WITHHELD),
    "metadata": {},
    "writer": {"device_id": None, "is_me": False},
    "review": None,
    "content": "",
    "feedback": None,
    "locale": "en",
    "timezone": "UTC",
    "avatar_file_id": None,
    "email_verified_at": None,
    "last_login_at": None,
}


@dataclass(frozen=True, slots=True)
class Leaving:
    """Who is erased: their id, and by what else they are known. `own_ids` are those of what they wrote."""

    user_id: str
    full_name: str
    email: str
    email_key: str
    own_ids: frozenset[str] = frozenset()

    @property
    def addresses(self) -> Collection[str]:
        """The spellings of their address."""
        return {self.email, self.email_key} - {""}

    def is_named_in(self, text: str) -> bool:
        """Does their address or whole name stand in it?"""
        return any(word.search(text) for word in self._words())

    def _words(self) -> list[re.Pattern[str]]:
        # One that is shorter stands in too much else; wherever an id says whose it is, it goes all the same.
        name = [self.full_name] if len(self.full_name) > 3 and self.full_name != WITHHELD else []
        addresses = [address for address in self.addresses if not address.endswith(ERASED_DOMAIN)]
        return [
            *(_whole(one, r"[\w.+-]", r"[\w-]|\.\w") for one in sorted(addresses, key=len, reverse=True)),
            *(_whole(one, r"\w", r"\w") for one in name),
        ]

    def without_words(self, text: str) -> str:
        """The text without them."""
        for word in self._words():
            text = word.sub(WITHHELD, text)
        return text


def _whole(word: str, not_before: str, not_behind: str) -> re.Pattern[str]:
    """It alone, however it is spelt: who is called Anna takes nothing from a Johanna."""
    return re.compile(f"(?<!{not_before}){re.escape(word)}(?!{not_behind})", re.IGNORECASE)


def erased_address(user_id: str) -> str:
    """What stands in place of an address: unique, and nobody's."""
    return f"erased+{user_id}@{ERASED_DOMAIN}"


def withheld(value: Any, leaving: Leaving) -> Any:
    """The same without the person: in every object that is about them, and in every text that names them."""
    if isinstance(value, str):
        return leaving.without_words(value)
    if isinstance(value, Mapping):
        fields = _fields_to_blank(value, leaving)
        kept = {name for name, one in value.items() if isinstance(one, str) and _is_for_machines(name)}
        return {
            name: fields[name] if name in fields else one if name in kept else withheld(one, leaving)
            for name, one in value.items()
        }
    if isinstance(value, list | tuple):
        return [withheld(one, leaving) for one in value]
    return value


def _is_for_machines(name: str) -> bool:
    """Links, ids and the like hold no words: a name that happens to stand in one was chosen to break it."""
    return name in _FOR_MACHINES or name.endswith(_FOR_MACHINES_ENDS)


def _fields_to_blank(value: Mapping[str, Any], leaving: Leaving) -> Mapping[str, Any]:
    """What is blanked in an object: all that is private, where it is about them, or who it is by."""
    if any(value.get(name) == leaving.user_id for name in _OWNER_IDS):
        # Why a score moved is a teacher's word to them; why an account was closed is the school's.
        told = {"reason": None} if "previous" in value else {}
        return {**_FIELDS, **told, "email": erased_address(leaving.user_id)}
    is_theirs = any(value.get(name) == leaving.user_id for name in _MAKER_IDS)
    if is_theirs or any(isinstance(one, str) and one in leaving.own_ids for one in value.values()):
        return dict.fromkeys(_NAMES, WITHHELD)
    return {}
