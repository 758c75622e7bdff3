"""What looks like a secret is taken out of words before anybody keeps them. What is logged, or told elsewhere, is others' affair.

Every pattern looks at a run of characters once or within a bound: a hostile line costs no more than a long one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

# A name that goes on behind its word is looked for ahead: two runs about one word would be tried at each place of it.
_NAMES = (
    r"\w*tokens?|\w*tickets?|\w*password|(?=\w*secret)\w+|\w*pepper|\w*api_?key|\w*signing_key|private_key|authorization"
    r"|cookie|\w*dsn|otp|\w*credentials?|recovery_codes?|lms_(?:access|refresh|csrf|device|own|form)"
)
# In quotes a backslash takes the next sign along, and a quote behind which nothing ends is one within; quotes that are never
# closed hold all that follows. JSON within JSON has a backslash before its quotes, and three before those within its texts.
_ENDS = r"(?![\s,;&}\])'\"\\]|\Z)"
_NESTED = r"\\{1,7}\"(?:[^\"\\]|\\{2,15}.|\\[^\"\\])*\\?\"?|\\{1,7}'(?:[^'\\]|\\{2,15}.|\\[^'\\])*\\?'?"
_QUOTED = rf"\"(?:[^\"\\]|\\.|\"{_ENDS})*\"?|'(?:[^'\\]|\\.|'{_ENDS})*'?"
_SEVERAL = rf"[\[{{](?:{_NESTED}|{_QUOTED}|[^\]}}'\"])*[\]}}]?"
_VALUE = rf"({_QUOTED}|{_NESTED}|{_SEVERAL}|[^\s&;,)}}\]'\"]+)"
_PATTERNS = (
    # Signed tokens, also behind a little that sticks to them (`%3DeyJ…`).
    (re.compile(r"(?<![\w-])[\w-]{0,20}?eyJ[\w-]+\.[\w-]+\.[\w-]*"), "[token]"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s'\",;]+"), r"\1 [secret]"),
    (re.compile(r"(?i)\b((?:set-)?cookie)(['\"]?:\s*)[^\r\n]+"), r"\1\2[secret]"),
    # A scheme of its own may have several words; in quotes they are a value like others.
    (re.compile(r"(?i)\b(authorization:[ \t]*)[^\s'\"\\\[{][^\r\n]*"), r"\1[secret]"),
    (re.compile(rf"(?is)(['\"]?\b(?:{_NAMES})\b\\{{0,7}}['\"]?\s*[=:]\s*){_VALUE}"), r"\1[secret]"),
    # Codes of a second step; codes of HTTP and of sockets are shorter.
    (re.compile(r"(?i)(\b\w{0,40}(?:code|pin)s?['\"]?\s*[=:]\s*['\"]?)\d[\d -]{4,9}\d(?!\d)"), r"\1[code]"),
    (re.compile(r"(?i)\botpauth://\S+"), "[secret]"),
    # Credentials in an address, a DSN's among them.
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]{1,20})://[^@/\s]+@"), r"\1://[secret]@"),
    (re.compile(r"\bwhsec_[A-Za-z0-9+/=_-]+"), "[secret]"),
    # Keys of gateways that take money, and what their browsers pay by: `sk_live_…`, `egy_sk_test_…`, `pi_…_secret_…`.
    (re.compile(r"\b(?:[a-z]{2,4}_)?[rs]k_(?:live|test)_\w+"), "[secret]"),
    (re.compile(r"\b([a-z]{2,10}_[A-Za-z0-9]{1,64})_secret_\w+"), r"\1_[secret]"),
    (re.compile(r"\bhv[sbr]\.[\w.-]+"), "[secret]"),
    (re.compile(r"\b(?:[0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}\b"), "[code]"),
    (re.compile(r"\b[A-Z2-7]{32,}\b"), "[secret]"),
    # Random bytes as text: 30 of them or more, with signs of all three kinds.
    (re.compile(r"(?<![\w-])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])(?=[\w-]*\d)[A-Za-z0-9_-]{40,}(?![\w-])"), "[token]"),
    (re.compile(r"[\w.!#$&'*+/=?^`{|}~%-]{1,64}(?:@|%40)[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"), "[address]"),
)
_SUSPECT = re.compile(
    r"[@=:]|%40|eyJ|whsec_|k_(?:live|test)_|_secret_|hv[sbr]\.|(?i:bearer|basic)|-[0-9A-Z]{4}-|[\w-]{32}"
)
"""Every pattern needs one of these: most lines have none, and are looked at once."""
MAX_LENGTH = 1 << 16
"""What follows in longer words is not shown."""
_SECRET_NAME = re.compile(rf"(?i)(?:{_NAMES})\Z")
_DEEP = 6
"""Facts within facts: what lies deeper is not shown."""


def redacted(text: str) -> str:
    """`text` without tokens, tickets, codes, passwords, the credentials of addresses, and people's mail addresses."""
    if len(text) > MAX_LENGTH:
        text = text[:MAX_LENGTH] + "…"
    if _SUSPECT.search(text) is None:
        return text
    for pattern, words in _PATTERNS:
        text = pattern.sub(words, text)
    return text


def scrubbed(value: Any, *, name: str = "", depth: int = 0) -> Any:
    """A fact, however nested, without what looks like a secret by its name or by itself; ready to become JSON."""
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if depth > _DEEP:
        return "…"
    if isinstance(value, Mapping):
        return {redacted(str(key)): scrubbed(one, name=str(key), depth=depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple | AbstractSet):
        return [scrubbed(one, name=name, depth=depth + 1) for one in value]
    return "[secret]" if name and _SECRET_NAME.match(name) else redacted(str(value))


def looks_secret(text: str) -> bool:
    """Would any of `text` be taken out?"""
    return redacted(text) != text
