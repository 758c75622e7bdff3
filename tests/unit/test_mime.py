"""Whatever a subject, a name or a body holds, a mail program reads the same, and no line breaks where a server would cut."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from email.utils import parseaddr

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lms_rt.contracts.letters import Letter, Sender
from lms_rt.gateways.mime import envelope_address, mime_bytes, needs_utf8

SENDER = Sender("school@lms.example", "Night School")
LETTER = Letter(
    message_id="msg_1@lms.example",
    template="quiz_results",
    recipient="ali@example.org",
    recipient_name="Ali",
    subject="Results",
    text="Well done.\n",
    html="<p>Well done.</p>\n",
    language="en",
    at=datetime(2026, 1, 5, 9, 0, tzinfo=UTC),
)
# What a name or a subject may hold once `one_line` has seen it.
LINES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs"]), min_size=1, max_size=150
).map(lambda text: " ".join(text.split()))
BODIES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp", "Cs"], include_characters="\n"), max_size=2_000
)


def read(raw: bytes) -> EmailMessage:
    message = message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    return message


def _decoded(words: str) -> str:
    return str(make_header(decode_header(words)))


@settings(max_examples=50)
@given(subject=LINES, name=LINES)
@example(subject="=?utf-8?b?eA==?=", name='Ann "Annie" Lee')
@example(subject="نتيجتك " * 20, name="back\\slash, and comma (and more) <a@b.org>")
@example(subject="𐀀" * 40, name="=?utf-8?q?x?=")
def test_subjects_and_names_come_back_as_they_were(subject: str, name: str) -> None:
    raw = mime_bytes(replace(LETTER, subject=subject, recipient_name=name), SENDER)
    message = message_from_bytes(raw)  # `email.policy.default` of Python 3.11 puts spaces between the words of a name
    shown, address = parseaddr(message["To"])
    assert (_decoded(shown), address) == (name, "ali@example.org")
    assert _decoded(message["Subject"]) == subject
    assert not message.defects
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert all(len(word) <= 75 for word in re.findall(rb"=\?utf-8\?b\?[^?]*\?=", raw))
    assert raw.isascii()


@settings(max_examples=50)
@given(text=BODIES)
def test_bodies_come_back_as_they_were(text: str) -> None:
    message = read(mime_bytes(replace(LETTER, text=text, html=text), SENDER))
    for part in message.iter_parts():
        assert isinstance(part, EmailMessage)
        assert not part.defects
        assert part.get_content().splitlines() == text.splitlines()


@pytest.mark.parametrize("sign", ["\r", "\n", "\r\n", "\x00", "\x0b", "\x7f", "\u2028"])
@pytest.mark.parametrize("field", ["subject", "recipient_name", "message_id", "language", "unsubscribe_url"])
def test_a_header_with_a_control_character_is_not_written(field: str, sign: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        mime_bytes(replace(LETTER, **{field: f"a{sign}Bcc: all@example.org"}), SENDER)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "bad",
    [
        *("", "nobody", "@example.org", "a b@example.org", "a@exa mple.org", "a@", "<a@b.org>", "a>@b.org"),
        *("a\r\n@b.org", "a@b.org>", "a,b@c.org", "a@b@c.org", '"a"@b.org', "a..b@c.org"),
    ],
)
def test_what_is_no_address_is_not_written_to(bad: str) -> None:
    with pytest.raises(ValueError, match=r"address|domain|label"):
        mime_bytes(replace(LETTER, recipient=bad), SENDER)


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("ali@bücher.example", "ali@xn--bcher-kva.example"),
        ("o'brien+x@example.org", "o'brien+x@example.org"),
        ("علي@example.org", "علي@example.org"),
    ],
)
def test_an_address_is_written_as_the_network_has_it(given: str, written: str) -> None:
    assert envelope_address(given) == written
    letter = replace(LETTER, recipient=given)
    assert needs_utf8(letter) == (not written.isascii())
    assert f"Ali <{written}>".encode() in mime_bytes(letter, SENDER)


def test_no_line_is_as_long_as_servers_cut() -> None:
    raw = mime_bytes(replace(LETTER, text="a" * 5_000, html="<p>" + "b" * 5_000, subject="c" * 5_000), SENDER)
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert read(raw).get_body(("plain",)).get_content().strip() == "a" * 5_000  # type: ignore[union-attr]


def test_a_repeat_is_the_same_mail() -> None:
    assert mime_bytes(LETTER, SENDER) == mime_bytes(LETTER, SENDER)
