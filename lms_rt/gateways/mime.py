"""A letter as the bytes that mail servers take: headers, text and HTML as alternatives. What stands in it is not chosen here."""

from __future__ import annotations

import base64
import hashlib
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime

from lms_rt.contracts.letters import Letter, Sender

_LINE_BYTES = 57
"""Of content on a line of base64, which then has 76 characters."""
_MAX_PLAIN_LINE = 900
"""Longer lines are not left as they are: 998 is where servers may cut."""


def address_of(text: str) -> tuple[str, str]:
    """Local part and domain, the domain as the network writes it. Raises `ValueError` for what is no address."""
    local, _, domain = text.strip().rpartition("@")
    if not local or not domain:
        raise ValueError("no e-mail address")
    return local, envelope_domain(domain)


def envelope_domain(domain: str) -> str:
    """A domain as the network writes it. Raises `ValueError` for what is none."""
    return domain.encode("idna").decode()


def envelope_address(text: str) -> str:
    """The address for the envelope."""
    return "@".join(address_of(text))


def needs_utf8(letter: Letter) -> bool:
    """Can only a server with SMTPUTF8 take it? (The name of the mailbox is not ASCII; domains always can be.)"""
    return not address_of(letter.recipient)[0].isascii()


def mime_bytes(letter: Letter, sender: Sender) -> bytes:
    """The whole message with CRLF line ends. Raises `ValueError` for a header that holds a line break."""
    boundary = f"=_{hashlib.sha256(letter.message_id.encode()).hexdigest()[:32]}"
    head = _head(letter, sender)
    head["MIME-Version"] = "1.0"
    head["Content-Type"] = f'multipart/alternative; boundary="{boundary}"'
    parts = (_part("plain", letter.text), _part("html", letter.html))
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part for part in parts)
    return head.as_bytes() + body + b"--" + boundary.encode() + b"--\r\n"


def _head(letter: Letter, sender: Sender) -> EmailMessage:
    head = EmailMessage(policy=SMTPUTF8 if needs_utf8(letter) else SMTP)  # these policies refuse CR and LF in values
    head["From"] = _mailbox(sender.name, sender.address)
    head["To"] = _mailbox(letter.recipient_name, letter.recipient)
    head["Subject"] = letter.subject
    head["Date"] = format_datetime(letter.at)
    head["Message-ID"] = f"<{letter.message_id}>"
    head["Auto-Submitted"] = "auto-generated"
    head["Content-Language"] = letter.language
    if letter.unsubscribe_url is not None:
        head["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
        head["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return head


def _mailbox(name: str, address: str) -> Address:
    local, domain = address_of(address)
    return Address(display_name=name, username=local, domain=domain)


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
