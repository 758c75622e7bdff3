"""A letter as the bytes that mail servers take: headers, text and HTML as alternatives. What stands in it is not chosen here.

Written by hand, since `email.message` takes one to three milliseconds for the headers of one mail; the tests read what
is written with `email.parser`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from email.utils import format_datetime

from lms_rt.contracts.letters import Letter, Sender

_LINE_BYTES = 57
"""Of content on a line of base64, which then has 76 characters."""
_WORD_BYTES = 42
"""Of text in an encoded word (RFC 2047), which then has 68 characters of the 75 that it may have."""
_MAX_PLAIN_LINE = 900
"""Longer lines are not left as they are: 998 is where servers may cut."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOT_ATOM = re.compile(r"[^\x00-\x20\x7f()<>\[\]:;@\\,\".]+(?:\.[^\x00-\x20\x7f()<>\[\]:;@\\,\".]+)*")
_DOMAIN = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")


def envelope_domain(domain: str) -> str:
    """A domain as the network writes it. Raises `ValueError` for what is none."""
    written = domain.encode("idna").decode()
    if not _DOMAIN.fullmatch(written):
        raise ValueError("no domain")
    return written


def envelope_address(text: str) -> str:
    """An address as the envelope and the headers have it. Raises `ValueError` for what is none."""
    local, _, domain = text.strip().rpartition("@")
    if not _DOT_ATOM.fullmatch(local):
        raise ValueError("no e-mail address")
    return f"{local}@{envelope_domain(domain)}"


def needs_utf8(letter: Letter) -> bool:
    """Can only a server with SMTPUTF8 take it? (The name of the mailbox is not ASCII; domains always can be.)"""
    return not letter.recipient.rpartition("@")[0].isascii()


def mime_bytes(letter: Letter, sender: Sender) -> bytes:
    """The whole message with CRLF line ends. Raises `ValueError` for a header that holds a line break."""
    boundary = _boundary(letter)
    head = "".join(f"{_unbroken(name)}: {value}\r\n" for name, value in _headers(letter, sender, boundary))
    parts = (("plain", letter.text), ("html", letter.html))
    body = b"".join(f"--{boundary}\r\n".encode() + _part(subtype, text) for subtype, text in parts)
    return head.encode() + b"\r\n" + body + f"--{boundary}--\r\n".encode()


def _boundary(letter: Letter) -> str:
    """The same for a repeat, and in no letter itself: its words would have to hold the hash of themselves."""
    hashed = hashlib.sha256(f"{letter.message_id}\x00{letter.text}\x00{letter.html}".encode(errors="replace"))
    return f"=_{hashed.hexdigest()[:40]}"


def _headers(letter: Letter, sender: Sender, boundary: str) -> Iterator[tuple[str, str]]:
    yield "From", _mailbox(sender.name, sender.address)
    yield "To", _mailbox(letter.recipient_name, letter.recipient)
    yield "Subject", _words(letter.subject)
    yield "Date", format_datetime(letter.at)
    yield "Message-ID", f"<{_unbroken(letter.message_id)}>"
    yield "Auto-Submitted", "auto-generated"
    yield "Content-Language", _unbroken(letter.language)
    if letter.unsubscribe_url is not None:
        yield "List-Unsubscribe", f"<{_unbroken(letter.unsubscribe_url)}>"
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"
    yield "MIME-Version", "1.0"
    yield "Content-Type", f'multipart/alternative; boundary="{boundary}"'


def _unbroken(text: str) -> str:
    """The text, when it has no line break nor another control character: a header holds one line of one person."""
    if _CONTROL.search(text):
        raise ValueError("a header with a control character")
    return text


def _words(text: str) -> str:
    """Text as the value of a header: as it is, or as encoded words, each on a line of its own."""
    if _unbroken(text).isascii() and len(text) < _MAX_PLAIN_LINE and "=?" not in text:
        return text
    return "\r\n ".join(f"=?utf-8?b?{base64.b64encode(piece).decode()}?=" for piece in _pieces(text))


def _pieces(text: str) -> Iterator[bytes]:
    """UTF-8 in pieces that break no character."""
    piece = b""
    for sign in text:
        encoded = sign.encode()
        if len(piece) + len(encoded) > _WORD_BYTES:
            yield piece
            piece = b""
        piece += encoded
    yield piece


def _mailbox(name: str, address: str) -> str:
    """Name and address, the name quoted or encoded as it needs."""
    reached = envelope_address(address)
    if not _unbroken(name):
        return reached
    if not name.isascii() or "=?" in name:
        return f"{_words(name)}\r\n <{reached}>"
    if _ATOMS.fullmatch(name):
        return f"{name} <{reached}>"
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{reached}>'


def _part(subtype: str, text: str) -> bytes:
    lines = text.splitlines()
    content = "".join(f"{line}\r\n" for line in lines).encode()
    if content.isascii() and all(len(line) <= _MAX_PLAIN_LINE for line in lines):
        encoding, charset = "7bit", "us-ascii"
    else:
        encoding, charset, content = "base64", "utf-8", _base64(content)
    head = f'Content-Type: text/{subtype}; charset="{charset}"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + content


def _base64(content: bytes) -> bytes:
    pieces = (content[start : start + _LINE_BYTES] for start in range(0, len(content), _LINE_BYTES))
    return b"".join(base64.b64encode(piece) + b"\r\n" for piece in pieces)
