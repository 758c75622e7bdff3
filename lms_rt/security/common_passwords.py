"""The passwords that people choose most, from zxcvbn's lists. What else is refused is `password_rules.py`'s.

A word stands in one of its lists only, so that the many passwords that are first names are looked for among those.

Reading the list costs a hundred milliseconds: `load` does it beside the loop, before the first password is chosen.
"""

from __future__ import annotations

import unicodedata
from functools import cache

_LISTS = ("passwords", "male_names", "female_names")
LEAST_LENGTH = 5
"""Of a password so much must be left without the digits around it before that alone counts: "ann-1984" is no "ann"."""


def is_listed(folded: str) -> bool:
    """Is it on the list? In lower case, letters and digits only; what is too short to say anything is not."""
    return len(folded) >= LEAST_LENGTH and folded in _listed()


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

    return frozenset(fold(word) for name in _LISTS for word in FREQUENCY_LISTS[name])
