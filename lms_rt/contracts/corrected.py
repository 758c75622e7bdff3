"""What corrections made of a question, in the words that people are told. No keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

CorrectionWord = Literal["void", "fix", "accept", "full_credit"]
ShownCorrection = Literal["void", "full_credit", "changed"]

_WORDS: Mapping[str, CorrectionWord] = {
    "is_void": "void",
    "is_full_credit": "full_credit",
    "also_accepted": "accept",
    "is_changed": "fix",
}


def corrections_in(stored: Mapping[str, Any]) -> list[CorrectionWord]:
    """What was done to it."""
    return [word for name, word in _WORDS.items() if stored.get(name)]


def corrections_without_keys(stored: Mapping[str, Any]) -> list[CorrectionWord]:
    """The same for a student who is not shown the answers yet: not that there is another one."""
    return [word for word in corrections_in(stored) if word != "accept"]


def shown_correction(stored: Mapping[str, Any]) -> ShownCorrection | None:
    """What a student is told who still answers: that another answer counts as well would say too much."""
    if stored.get("is_void"):
        return "void"
    if stored.get("is_full_credit"):
        return "full_credit"
    return "changed" if stored.get("is_changed") else None
