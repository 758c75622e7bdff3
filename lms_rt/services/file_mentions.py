"""Files that Markdown texts, and the questions made of them, speak of, as `file:fil_…` or by their address: which they are, and where a page fetches them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from documents.base import Row
from lms_rt.contracts.files import FILES_URL

_ID = r"fil_[0-9a-hjkmnp-tv-z]{26}"
_SHORT = re.compile(rf"\]\(file:({_ID})(?=[\s)])")
_MENTION = re.compile(rf"(?:\bfile:|{re.escape(FILES_URL)}/)({_ID})(?![0-9a-z])")
_IMAGE = re.compile(rf'<img((?![^<>]* (?:width|height)=)[^<>]* src="{re.escape(FILES_URL)}/({_ID})/[^<>]*)>')
"""One that says nothing of its size itself."""
_ASKED = ("question_text", "options")
"""What students see of a question within the attempt; of the rest, and of what is said on answers, nothing before its end."""


def file_ids_in(markdown: str) -> list[str]:
    """The ids of the files that it speaks of, once each, in their order."""
    return list(dict.fromkeys(_MENTION.findall(markdown))) if "fil_" in markdown else []


def with_addresses(markdown: str) -> str:
    """The text with addresses in place of `file:fil_…` behind its links and images."""
    if "](file:fil_" not in markdown:
        return markdown
    return _SHORT.sub(rf"]({FILES_URL}/\1/download?disposition=inline", markdown)


def with_sizes(html: str, sizes: Mapping[str, tuple[int, int]]) -> str:
    """HTML as we render it, in which images of these files say how wide and high they are: nothing moves when they come."""

    def sized(found: re.Match[str]) -> str:
        width, height = sizes[found[2]]
        return f'<img width="{width}" height="{height}"{found[1]}>'

    return _IMAGE.sub(lambda found: sized(found) if found[2] in sizes else found[0], html)


def shown_mentions(question: Mapping[str, Any]) -> set[str]:
    """The files that the question itself shows."""
    return {one for name in _ASKED for text in _texts(question.get(name), is_key=False) for one in file_ids_in(text)}


def question_mentions(question: Row) -> tuple[list[str], list[str]]:
    """The files that the question itself shows, and those that only what belongs to its key does."""
    shown = shown_mentions(question)
    return sorted(shown), sorted(mentions_of(question) - shown)


def mentions_of(question: Mapping[str, Any]) -> set[str]:
    """The files that the question shows, with its key and all that is said on answers."""
    return {one for text in _texts(dict(question), is_key=True) for one in file_ids_in(text)}


def _texts(value: Any, *, is_key: bool) -> Iterator[str]:
    """All texts within; without the key, what options say of themselves once they were chosen is left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            if is_key or not name.startswith("feedback"):
                yield from _texts(one, is_key=is_key)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one, is_key=is_key)
