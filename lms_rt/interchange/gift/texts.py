"""The text formats of GIFT, all made into Markdown: [moodle] (the default), [plain], [html], [markdown].

HTML stays HTML inside the Markdown; what Markdown would take for a sign of its own is escaped. Linear time.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from lms_rt.interchange.gift.escapes import HELD_BREAK, SPACES, release

_FORMAT = re.compile(r"\[(moodle|plain|html|markdown)\]", re.IGNORECASE)
_BLOCK_NAMES = (
    "address|article|aside|blockquote|center|dd|details|dir|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]|header|"
    "hr|iframe|legend|li|link|main|menu|nav|ol|p|section|summary|table|tbody|td|tfoot|th|thead|tr|ul"
)
_BLOCK = re.compile(rf"</?(?:{_BLOCK_NAMES})(?=[\s/>]|$)", re.IGNORECASE)
_ANY_BLOCK = re.compile(
    rf"^[ \t]*</?(?:{_BLOCK_NAMES}|pre|script|style|textarea)(?=[\s/>]|$)", re.IGNORECASE | re.MULTILINE
)
_TAG = (
    r"</?(?:a|abbr|b|bdi|bdo|big|br|cite|code|del|dfn|em|font|i|img|input|ins|kbd|label|mark|q|s|samp|small|span|strike|"
    r"strong|sub|sup|tt|u|var|audio|video|source|object|embed|math|svg|nolink)(?=[\s/>])[^<>]*>|<!--[^<>]*-->"
)
_LONE_TAG = re.compile(rf"^[ \t]*(?:{_TAG})[ \t]*$", re.IGNORECASE | re.MULTILINE)
_SIGNS = re.compile(rf"(?P<tag>{_TAG})|(?P<sign>\\|`|~~+|\*|_+|&(?=#?\w+;)|<(?=[A-Za-z/!?])|\[)", re.IGNORECASE)
_LINE_OF_SIGNS = re.compile(r"[\s|:\-_=*+]+")
_HARMLESS_FIRST = re.compile(r"[\s|:=]+")
_LINE_START = re.compile(r"^(?:(\d{1,9})([.)])(?=\s|$)|(#{1,6}|[+\-*])(?=\s|$)|(>))")
_LINKS = re.compile(r"\][(\[:]")
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n)+")
_FILES = re.compile(r"@@PLUGINFILE@@/?([^\s\"'<>)\\]*)")


def split_format(held: str, default: str) -> tuple[str, str]:
    """The format that a text names for itself (else `default`), and the rest of the text."""
    held = held.strip(SPACES)
    found = _FORMAT.match(held)
    return (found[1].lower(), held[found.end() :].strip(SPACES)) if found else (default, held)


def to_markdown(held: str, text_format: str) -> str:
    """The Markdown of a text whose escapes are held."""
    if text_format == "markdown":
        return release(held).strip()
    if text_format == "html" or (text_format == "moodle" and _is_html(release(held))):
        return _from_html(release(held).strip())
    lines = [_escape_line(line, text_format, is_first=not place) for place, line in enumerate(_lines(held))]
    made = "\n".join(lines).strip()
    return _BLANK_LINES.sub("\n\n", made).replace(" \n\n", "\n\n")


def missing_files(text: str) -> list[str]:
    """The names of files that the text shows, and that a GIFT file cannot hold."""
    return list(dict.fromkeys(unquote(name).rstrip(".,;:!?") or "one without a name" for name in _FILES.findall(text)))


def _lines(held: str) -> list[str]:
    """Lines of the file fold into one another; a break that was written as such is kept as a hard one."""
    lines = [line.strip(SPACES) for line in held.split("\n")]
    made = "\n".join(lines).split(HELD_BREAK)
    return "  \n".join(part.strip(SPACES) for part in made).split("\n")


def _is_html(text: str) -> bool:
    """Would Markdown find a block of HTML in it, and leave its inside alone?"""
    return _ANY_BLOCK.search(text) is not None or _LONE_TAG.search(text) is not None


def _escape_line(line: str, text_format: str, *, is_first: bool = False) -> str:
    line = release(line)
    escaped = _escape_signs(line, is_plain=text_format == "plain", has_links=bool(_LINKS.search(line)))
    # such a line would be a rule, underline the line before it as a heading, or begin a table's body
    is_rule = line.strip() and _LINE_OF_SIGNS.fullmatch(line) and not (is_first and _HARMLESS_FIRST.fullmatch(line))
    if is_rule and not escaped.startswith("\\"):
        return f"\\{escaped}"
    return _escape_start(escaped)


def _escape_start(line: str) -> str:
    found = _LINE_START.match(line)
    if found is None:
        return line
    digits = found[1] or ""
    return f"{digits}\\{line[len(digits) :]}"


def _escape_signs(line: str, *, is_plain: bool, has_links: bool) -> str:
    def escaped(found: re.Match[str]) -> str:
        if found["tag"]:
            return f"\\{found['tag']}" if is_plain else found["tag"]
        sign = found["sign"]
        before = line[found.start() - 1] if found.start() else " "
        after = line[found.end()] if found.end() < len(line) else " "
        is_kept = (
            (sign == "\\" and after not in _PUNCTUATION and found.end() < len(line))
            or (sign == "*" and before.isspace() and after.isspace())
            or (sign[0] == "_" and before.isalnum() and after.isalnum())
            or (len(sign) > 2 and sign[0] == "_" and before.isspace())
            or (sign == "&" and not is_plain)
            or (sign == "[" and not has_links)
        )
        return sign if is_kept else "".join(f"\\{one}" for one in sign)

    return _SIGNS.sub(escaped, line)


def _from_html(text: str) -> str:
    """HTML that Markdown leaves alone: without blank lines, and inside a block where it begins with none."""
    if re.search(r"<(?:pre|textarea)\b", text, re.IGNORECASE):
        text = _BLANK_LINES.sub(lambda found: "\n" + "&#10;" * (found[0].count("\n") - 1), text)
    else:
        text = _BLANK_LINES.sub("\n", text)
    if _BLOCK.match(text) or not text:
        return text
    lines = text.split("\n")
    is_inline = not _is_html(text) and all(_escape_line(line, "moodle") == line for line in lines)
    return text if is_inline else f"<div>{text}</div>"
