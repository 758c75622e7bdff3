"""The passwords that people choose most, from zxcvbn's list (30,000 of leaked ones). What else is refused is `password_rules.py`'s.

Reading the list costs a hundred milliseconds: `load` does it beside the loop, before the first password is chosen.
"""

from __future__ import annotations

import unicodedata
from functools import cache

_DIGITS = "0123456789"
LEAST_CORE = 5
"""Of a password so much must be left without the digits around it before that alone counts: "ann1984" is no "ann"."""


def is_listed(folded: str) -> bool:
    """Is it on the list, as a whole or without the digits before and behind? Both in lower case, letters and digits only."""
    core = folded.strip(_DIGITS)
    listed = _listed()
    return folded in listed or (len(core) >= LEAST_CORE and core in listed)


def load() -> None:
    """Read the list, if it has not been read yet."""
    _listed()


def fold(text: str) -> str:
    """Lower case, compatible forms, without diacritics, letters and digits only: how passwords are compared."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in plain if character.isalnum())


@cache
def _listed() -> frozenset[str]:
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415 - only when it is needed

    return frozenset(fold(word) for word in FREQUENCY_LISTS["passwords"]) - {""}
