"""Where a webhook may not go: every disguise of an inner address, and names that change what they say."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest

from lms_rt.security import ssrf
from lms_rt.security.ssrf import SystemResolver, TargetGuard, Unresolvable, UnsafeTarget

BAD = (
    "0.0.0.0",  # noqa: S104 - nobody listens
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.8",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "203.0.113.5",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "fc00::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
)
ALSO_BAD = (
    "168.63.129.16",
    "192.31.196.1",
    "192.52.193.1",
    "192.175.48.1",
    "3fff::1",
    "2620:4f:8000::1",
)
"""Those that look public: what a cloud answers its own machines at, anycast of name servers, documentation."""
GOOD = ("8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "::ffff:8.8.8.8")
URL = "https://hooks.example.org/in?a=b"


def answering(*answers: Sequence[str]) -> tuple[TargetGuard, list[str]]:
    """A guard whose resolver gives one of these answers after the other, and whom it was asked for."""
    left, asked = list(answers), list[str]()

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return left.pop(0) if len(left) > 1 else left[0]

    return TargetGuard(resolve), asked


@pytest.mark.parametrize("address", BAD + ALSO_BAD)
async def test_an_inner_address_is_refused(address: str) -> None:
    guard, _ = answering([address])
    with pytest.raises(UnsafeTarget, match="not public"):
        await guard.pin(URL)


@pytest.mark.parametrize("address", GOOD)
async def test_a_public_address_is_pinned(address: str) -> None:
    guard, _ = answering([address])
    pinned = await guard.pin(URL)
    assert (pinned.addresses, pinned.host, pinned.port, pinned.path) == (
        (address.removeprefix("::ffff:"),),
        "hooks.example.org",
        443,
        "/in?a=b",
    )


def test_the_table_is_as_long_as_it_was() -> None:
    assert (len(BAD), len(GOOD)) == (29, 5)


@pytest.mark.parametrize("bad", ["127.0.0.1", "fe80::1%eth0"])
async def test_one_inner_address_among_many_is_enough(bad: str) -> None:
    guard, _ = answering(["8.8.8.8", "2606:4700:4700::1111", "1.1.1.1", "9.9.9.9", bad])
    with pytest.raises(UnsafeTarget):
        await guard.pin(URL)


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "127.1", "0177.0.0.1", "localhost", "[::1]", "[::ffff:7f00:1]"]
)
async def test_other_spellings_are_judged_by_what_the_machine_makes_of_them(host: str) -> None:
    resolver = SystemResolver()
    try:
        with pytest.raises(UnsafeTarget):
            await TargetGuard(resolver).pin(f"https://{host}/")
    finally:
        resolver.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "gopher://hooks.example.org/",
        "//hooks.example.org/",
        "hooks.example.org",
        "https://",
        "https:///path",
        "https://user@hooks.example.org/",
        "https://user:word@hooks.example.org/",
        "https://@hooks.example.org/",
        "https://hooks.example.org@127.0.0.1/",
        "https://hooks.example.org:8443/",
        "https://hooks.example.org:22/",
        "https://hooks.example.org:99999/",
        "https://hooks.example.org:x/",
        "https://hooks.example.org/#part",
        "https://hooks.example.org\\@127.0.0.1/",
        "https://hooks.example.org/\r\nX-Header: 1",
        "https://hooks example.org/",
        "https://１２７.０.０.１/",
        "https://[::1/",
        "https://hooks.example.org/" + "a" * 2_000,
    ],
)
async def test_an_address_of_another_form_is_refused(url: str) -> None:
    guard, _ = answering(["8.8.8.8"])
    with pytest.raises(UnsafeTarget):
        await guard.pin(url)


async def test_each_request_is_judged_by_what_the_name_says_then() -> None:
    """Rebinding: the name was good when the webhook was made, and leads inside when it is used."""
    guard, asked = answering(["8.8.8.8"], ["127.0.0.1"])
    assert (await guard.pin(URL)).addresses == ("8.8.8.8",)
    with pytest.raises(UnsafeTarget):
        await guard.pin(URL)
    assert asked == ["hooks.example.org"] * 2


async def test_a_name_that_leads_nowhere_may_lead_somewhere_later() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    with pytest.raises(Unresolvable):
        await TargetGuard(resolve).pin(URL)
    with pytest.raises(Unresolvable):
        await answering([])[0].pin(URL)


async def test_what_the_school_allows_may_be_on_any_port_and_without_tls() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ["10.1.2.3"]

    open_to = TargetGuard(resolve, allowed=["10.1.0.0/16"], is_http_allowed=True)
    assert (await open_to.pin("http://inside:9000")).port == 9000
    with pytest.raises(UnsafeTarget):
        await TargetGuard(resolve, allowed=["10.2.0.0/16"], is_http_allowed=True).pin("http://inside:9000")


async def test_only_so_many_addresses_are_tried() -> None:
    guard, _ = answering(["8.8.8.8", "8.8.8.8", "1.1.1.1", "9.9.9.9", "8.8.4.4"])
    assert (await guard.pin(URL)).addresses == ("8.8.8.8", "1.1.1.1", "9.9.9.9")


# --- looking names up ---


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Names that begin with "dead" are answered when the test is over."""
    is_over = threading.Event()

    def look_up(host: str, port: int) -> list[tuple[int, int, int, str, tuple[object, ...]]]:
        if host.startswith("dead"):
            is_over.wait()
        return [(2, 1, 6, "", ("8.8.8.8", port))]

    monkeypatch.setattr(ssrf, "_look_up", look_up)
    yield
    is_over.set()


@pytest.mark.usefixtures("hanging")
async def test_a_name_server_that_is_dead_holds_up_no_other_name() -> None:
    resolver = SystemResolver()
    guard = TargetGuard(resolver)
    held = [asyncio.create_task(guard.pin("https://dead.example.org/")) for _ in range(20)]
    await asyncio.sleep(0)
    try:
        assert (await guard.pin(URL)).addresses == ("8.8.8.8",)
    finally:
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        resolver.close()


@pytest.mark.usefixtures("hanging")
async def test_a_resolver_that_is_full_says_so_and_blames_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssrf, "RESOLVE_SECONDS", 0.05)
    resolver = SystemResolver()
    guard = TargetGuard(resolver)
    for number in range(ssrf.LOOK_UPS_AT_ONCE):
        with pytest.raises(ssrf.ResolverSlow, match="cannot be resolved in time"):
            await guard.pin(f"https://dead{number}.example.org/")
    with pytest.raises(ssrf.ResolverBusy):
        await guard.pin(URL)
    resolver.close()
