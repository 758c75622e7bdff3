"""Markdown to safe HTML, for lessons, questions and options. HTML inside stays HTML, but is cleaned by an allow-list.

Tables and strikethrough beside CommonMark; every block finds its own direction. Nothing is highlighted, nothing is fetched.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

from lms_rt.services.file_mentions import with_addresses

MAX_MARKDOWN = 100_000
"""Characters; what is longer is shown as plain text. The worst text of this size takes about a second, once."""

_SHORT = 4_000
"""Characters: questions and options, of which many are remembered; of longer texts a few."""

_IMAGE = re.compile(r'<img [^<>]*?alt="([^"<>]*)"[^<>]*>')
_WITHIN = "a|abbr|b|bdi|bdo|cite|code|del|dfn|em|i|ins|kbd|mark|q|s|samp|small|span|strike|strong|sub|sup|u|var"
_INLINE = re.compile(rf"</?(?:{_WITHIN})(?: [^<>]*)?>")
_TAG = re.compile(r"<[^<>]*>")
"""In HTML of ours: an image, whose words stand for it; what stands within a word; and all else, which parts words."""

_BLOCKS = frozenset(
    {"paragraph_open", "heading_open", "blockquote_open", "bullet_list_open", "ordered_list_open", "th_open", "td_open"}
)
_TAGS = {
    *("a", "abbr", "b", "bdi", "bdo", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd", "del"),
    *("details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i"),
    *("img", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s", "samp", "small", "span"),
    *(
        "strike",
        "strong",
        "sub",
        "summary",
        "sup",
        "table",
        "tbody",
        "td",
        "tfoot",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
        "var",
    ),
}
_ATTRIBUTES = {
    "*": {"dir", "lang", "title"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "ol": {"start", "reversed", "type"},
    "li": {"value"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align", "scope"},
    "col": {"span"},
    "colgroup": {"span"},
    "details": {"open"},
}
_DROPPED_WITH_CONTENT = {"script", "style", "template", "noscript", "title"}


def _with_direction(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in _BLOCKS:
            token.attrSet("dir", "auto")


def _with_alignment(state: StateCore) -> None:
    """Columns say their alignment as an attribute: the pages' CSP takes no styles."""
    for token in state.tokens:
        style = token.attrs.pop("style", None)
        if isinstance(style, str) and style.startswith("text-align:"):
            token.attrSet("align", style.removeprefix("text-align:"))


def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": True, "maxNesting": 40}).enable(["table", "strikethrough"])
    reader.core.ruler.push("direction", _with_direction)
    reader.core.ruler.push("alignment", _with_alignment)
    return reader


_MARKDOWN = _reader()
_CLEANER = nh3.Cleaner(
    tags=_TAGS,
    attributes=_ATTRIBUTES,
    clean_content_tags=_DROPPED_WITH_CONTENT,
    url_schemes={"http", "https", "mailto", "tel"},
    link_rel="nofollow noopener",
    strip_comments=True,
)


def render(markdown: str) -> str:
    """The HTML of a Markdown text, safe to put into a page. The same text is rendered once while it is remembered."""
    if not markdown:
        return ""
    return _short(markdown) if len(markdown) <= _SHORT else _long(markdown)


def plain_line(markdown: str, length: int) -> str:
    """The beginning of a Markdown text as one line of plain words, for lists that name what it says.

    What has no words at all, an image without a description, is "…".
    """
    return _plain(markdown[:_SHORT])[:length] or ("…" if markdown.strip() else "")


@lru_cache(maxsize=4_096)
def _plain(markdown: str) -> str:
    text = _TAG.sub(" ", _INLINE.sub("", _IMAGE.sub(r" \1 ", render(markdown))))
    return " ".join(html.unescape(text).split())


def _render(markdown: str) -> str:
    if len(markdown) > MAX_MARKDOWN:
        return f'<pre dir="auto">{nh3.clean_text(markdown)}</pre>'
    return _CLEANER.clean(_MARKDOWN.render(with_addresses(markdown))).strip()


_short = lru_cache(maxsize=4_096)(_render)
_long = lru_cache(maxsize=64)(_render)
