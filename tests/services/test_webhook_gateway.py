"""One webhook request on real sockets: where it goes, whose certificate it takes, how long it waits and how much it reads."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import ipaddress
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from config.logging import set_up_logging
from config.settings import Settings
from lms_rt.contracts.webhooks import Answer, PinnedTarget, Unanswered
from lms_rt.gateways import webhook
from lms_rt.gateways.webhook import MAX_BODY_KEPT, WebhookGateway
from tests.servers.receiver import Receiver, Reply, receiving

NAME = "hooks.example.org"


class Papers:
    """A certificate for one name, and the two sides that know it."""

    def __init__(self, folder: Path, name: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        day = dt.timedelta(days=1)
        now = dt.datetime.now(dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(now - day)
            .not_valid_after(now + day)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.path = folder / f"{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.path)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@pytest.fixture
async def gateway() -> AsyncIterator[WebhookGateway]:
    opened = WebhookGateway(timeout_seconds=5)
    yield opened
    await opened.close()


def target(
    port: int, *, host: str = NAME, scheme: str = "http", addresses: tuple[str, ...] = ("127.0.0.1",)
) -> PinnedTarget:
    return PinnedTarget(scheme, host, port, "/in?a=%20b", addresses)


async def sent(gateway: WebhookGateway, to: PinnedTarget) -> Answer:
    return await gateway.post(to, headers={"webhook-id": "evt_1"}, body=b"{}")


async def test_it_goes_to_the_address_that_was_judged_under_the_name_that_was_given(
    gateway: WebhookGateway, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the name says by now: nobody asks it again, and no proxy of this machine's environment is used."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    assert (await sent(gateway, target(receiver.port))).status_code == 200
    (received,) = receiver.received
    assert received.headers["host"] == f"{NAME}:{receiver.port}"
    assert (received.path, received.headers["webhook-id"], received.body) == ("/in?a=%20b", "evt_1", b"{}")


async def test_addresses_and_signatures_are_not_logged(gateway: WebhookGateway, receiver: Receiver) -> None:
    """Paths of receivers are secrets more often than not."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = list(root.handlers), root.level
    try:
        logging.getLogger("httpx").setLevel(logging.NOTSET)
        set_up_logging(Settings(_env_file=None, debug=True), stream)
        await sent(gateway, target(receiver.port))
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    assert "/in" not in stream.getvalue()
    assert "evt_1" not in stream.getvalue()


async def test_the_next_address_is_tried_when_one_cannot_be_reached(
    gateway: WebhookGateway, receiver: Receiver
) -> None:
    to = target(receiver.port, addresses=("127.0.0.2", "::1", "127.0.0.1"))
    assert (await sent(gateway, to)).status_code == 200
    with pytest.raises(Unanswered, match="no connection"):
        await sent(gateway, target(1))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_like_any_other(gateway: WebhookGateway, receiver: Receiver, status: int) -> None:
    receiver.replies.append(Reply(status, {"Location": receiver.url("/inside")}))
    answer = await sent(gateway, target(receiver.port))
    assert (answer.status_code, len(receiver.received)) == (status, 1)
    assert answer.headers["location"].endswith("/inside")


async def test_who_says_nothing_is_not_waited_for(receiver: Receiver) -> None:
    receiver.standing = Reply(is_silent=True)
    gateway = WebhookGateway(timeout_seconds=0.2)
    with pytest.raises(Unanswered, match=r"no answer within 0.2 s"):
        await sent(gateway, target(receiver.port))
    await gateway.close()


@pytest.mark.parametrize("status", [200, 410, 500])
async def test_a_body_that_stops_does_not_unsay_the_answer(
    gateway: WebhookGateway, receiver: Receiver, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.standing = Reply(status, body=b"well", is_stuck=True)
    beginning = webhook._beginning

    async def nearly_over(response: httpx.Response, _: float) -> str:
        """However long the head took to come."""
        return await beginning(response, asyncio.get_running_loop().time() + 0.1)

    monkeypatch.setattr(webhook, "_beginning", nearly_over)
    answer = await sent(gateway, target(receiver.port))
    assert (answer.status_code, answer.body) == (status, "well")


async def test_little_is_read_of_a_body_that_never_ends(gateway: WebhookGateway, receiver: Receiver) -> None:
    receiver.standing = Reply(is_endless=True, body=b"")
    answer = await sent(gateway, target(receiver.port))
    assert (answer.status_code, answer.body) == (200, "x" * MAX_BODY_KEPT)


@pytest.mark.parametrize("body", [b"\x00\xff\xfe binary", "مرحبًا".encode() * 500, b"\x1b[31mred"])
async def test_what_is_kept_of_a_body_can_be_stored_and_shown(
    gateway: WebhookGateway, receiver: Receiver, body: bytes
) -> None:
    receiver.standing = Reply(body=body)
    kept = (await sent(gateway, target(receiver.port))).body
    assert kept
    assert all(letter.isprintable() for letter in kept)


async def test_a_compressed_body_is_not_unpacked(gateway: WebhookGateway, receiver: Receiver) -> None:
    """A few bytes may unpack to gigabytes."""
    receiver.standing = Reply(headers={"Content-Encoding": "gzip"}, body=b"no gzip at all")
    assert (await sent(gateway, target(receiver.port))).body == "no gzip at all"


async def test_the_certificate_is_that_of_the_name_though_the_address_is_spoken_to(tmp_path: Path) -> None:
    papers = Papers(tmp_path, NAME)
    gateway = WebhookGateway(tls=papers.client(), timeout_seconds=5)
    async with receiving(papers.server()) as receiver:
        assert (await sent(gateway, target(receiver.port, scheme="https"))).status_code == 200
        with pytest.raises(Unanswered, match=r"(?i)hostname mismatch|certificate"):
            await sent(gateway, target(receiver.port, scheme="https", host="other.example.org"))
        with pytest.raises(Unanswered, match=r"(?i)mismatch|certificate"):
            await sent(gateway, target(receiver.port, scheme="https", host="127.0.0.1"))
        assert len(receiver.received) == 1
    await gateway.close()


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, gateway: WebhookGateway) -> None:
    async with receiving(Papers(tmp_path, NAME).server()) as receiver:
        with pytest.raises(Unanswered, match=r"(?i)certificate"):
            await sent(gateway, target(receiver.port, scheme="https"))
        assert receiver.received == []


async def test_an_address_of_the_newer_kind_is_written_in_brackets(gateway: WebhookGateway) -> None:
    address = str(ipaddress.IPv6Address(1))
    with pytest.raises(Unanswered, match="no connection"):
        await sent(gateway, target(1, host=address, addresses=(address,)))
