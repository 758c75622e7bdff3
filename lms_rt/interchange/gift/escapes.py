r"""The escapes of GIFT: `\~ \= \# \{ \} \: \\` for the characters themselves, `\n` for a line break.

While a question is taken apart, an escaped character is held as a lone surrogate, which no decoded text can contain; so no
structure is ever seen in it.
"""

from __future__ import annotations

import re

SPACES = " \t\n\x0b\x0c"
"""What counts as white space in the structure of a file. A no-break space is text."""

HELD_BREAK = chr(0xDC00 + ord("n"))
"""An escaped line break while it is held."""

_ESCAPED = re.compile(r"\\([\\~=#{}:n])")
_HELD = re.compile("[\udc00-\udc7f]")
_SPECIAL = re.compile(r"[\\~=#{}:]")


def hold(text: str) -> str:
    """The text with its escapes held. A backslash before any other character is a backslash."""
    return _ESCAPED.sub(lambda found: chr(0xDC00 + ord(found[1])), text)


def release(text: str) -> str:
    """The text that the escapes stand for."""
    return _HELD.sub(lambda found: "\n" if found[0] == HELD_BREAK else chr(ord(found[0]) - 0xDC00), text)


def escape(text: str) -> str:
    """The text as a GIFT file holds it: on one line."""
    return _SPECIAL.sub(r"\\\g<0>", text.replace("\r\n", "\n").replace("\r", "\n")).replace("\n", r"\n")
