"""Which passwords are refused when one is chosen: too short, too long, common, or one's own name. No composition rules.

Common ones are those of a list of leaked ones (`common_passwords.py`), and shapes of which there are too many for any list:
a few words with digits, rows of keys, runs and repetitions.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from lms_rt.errors import invalid
from lms_rt.security.common_passwords import fold, is_listed

MAX_LENGTH = 128
_LEAST_OWN = 4
_LEAST_NAME = 3

_COMMON_WORDS = frozenset(
    """
    password passwort passord motdepasse contrasena senha parola haslo kennwort passwordpassword letmein welcome
    iloveyou admin administrator superman batman starwars pokemon sunshine princess football baseball basketball
    dragon monkey shadow master michael jennifer trustno whatever computer internet changeme default secret student
    teacher instructor school learning testtest testing test guest login abc root user hello love pass
    """.split()  # noqa: SIM905 - a list of words is read as words
)
_ROWS = (
    "01234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop",
    "qwertzuiop",
    "azertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "yxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "q1w2e3r4t5y6u7i8o9p0",
    "1q2w3e4r5t6y7u8i9o0p",
)
_SIGNS_FOR_LETTERS = str.maketrans("@$", "as")
_DIGITS_FOR_LETTERS = str.maketrans("013457", "oieast")
_DIGITS = "0123456789"


def check_password(password: str, *, min_length: int, own: Iterable[str] = (), field: str = "password") -> None:
    """Refuse (422) a password that is too short or long, common, or little more than one of the `own` words.

    `own` holds the person's name, their address and the part of it before the @, and the site's name.
    """
    text = unicodedata.normalize("NFKC", password)
    if len(text) < min_length:
        raise invalid(field, f"Use at least {min_length} characters.", "too_short")
    if len(text) > MAX_LENGTH:
        raise invalid(field, f"Use at most {MAX_LENGTH} characters.", "too_long")
    if _is_common(text):
        raise invalid(field, "This password is too common: it would be guessed at once.", "too_common")
    if _is_mostly(fold(text), _own_words(own)):
        raise invalid(
            field, "This password is little more than your name, your address or this site's name.", "own_name"
        )


def _own_words(own: Iterable[str]) -> list[str]:
    """The names as a whole and word by word, longest first; short words say nothing."""
    words: set[str] = set()
    for text in own:
        parts = "".join(character if character.isalnum() else " " for character in text).split()
        words.update(fold(part) for part in (*parts, text))
    return sorted((word for word in words if len(word) >= _LEAST_NAME), key=len, reverse=True)


def _is_mostly(folded: str, words: Iterable[str]) -> bool:
    """Are fewer than four letters left of it without these words and without digits, and was one of them there?"""
    rest = folded
    for word in words:
        rest = rest.replace(word, " ")
    letters = sum(character.isalpha() for character in rest)
    return rest != folded and letters < _LEAST_OWN


def _is_common(text: str) -> bool:
    folded = fold(text.translate(_SIGNS_FOR_LETTERS)) or text
    if len(set(folded)) <= 2 or _is_repetition(folded) or _is_run(folded):
        return True
    cores = [form.strip(_DIGITS) for form in (folded, fold(text))]
    forms = {*cores, *(core.translate(_DIGITS_FOR_LETTERS) for core in cores), folded, fold(text)}
    return any(form in _COMMON_WORDS or is_listed(form) for form in forms)


def _is_repetition(folded: str) -> bool:
    """Is it one short piece again and again ("abcabcabc")?"""
    return any(folded == (folded[:size] * len(folded))[: len(folded)] for size in range(1, 5))


def _is_run(folded: str) -> bool:
    """Do at most two rows of keys or of the alphabet, forwards or backwards, make up the whole ("12345678qwerty")?"""
    rows = [*_ROWS, *(row[::-1] for row in _ROWS)]
    rest = folded
    for _ in range(2):
        size = len(rest)
        while size >= 3 and not any(rest[:size] in row for row in rows):
            size -= 1
        rest = rest[size:] if size >= 3 else rest
    return len(rest) < _LEAST_OWN
