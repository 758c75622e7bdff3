"""Whatever strangers send, the figures stay as many as they are: no label takes its values from outside."""

from __future__ import annotations

import re
import secrets
import struct
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from handlers.live.table import COMMANDS
from lms_rt.realtime.close_codes import Close
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.live.raw_line import CLOSE, TEXT, Stranger, frame

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"}
CODES = {*(str(close.code) for close in Close), "1000", "1005", "1006", "none", "other"}
NOBODYS = sorted(set(range(3000, 5000)) - {close.code for close in Close})
"""Numbers that a client may close with, and that mean nothing here."""
_SERIES = re.compile(r"^([a-z_]+)(?:\{(.*)\})? \S+$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(settings_on("embedded", request, tmp_path_factory.mktemp("house"))) as opened:
        yield opened


@pytest.fixture
def port(house: House) -> int:
    return urlsplit(house.address).port or 0


def word() -> str:
    """A word that nobody has used before."""
    return f"odd{secrets.token_hex(8)}"


async def series(house: House) -> set[str]:
    """Every series that is there, without its value."""
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(f"{house.address}/metrics")).text
    return {line.rpartition(" ")[0] for line in text.splitlines() if not line.startswith("#")}


def labels(found: set[str]) -> Iterator[tuple[str, str, str]]:
    """Figure, label and value, of every series."""
    for name, inside in _SERIES.findall("\n".join(f"{line} 0" for line in found)):
        for label, value in _LABEL.findall(inside):
            yield name, label, value


async def odd_requests(house: House) -> None:
    """Paths, methods, queries and headers with words that nobody has used before."""
    async with httpx.AsyncClient(base_url=house.address, trust_env=False) as client:
        for path in (word(), f"api/v1/{word()}", f"api/v1/courses/{word()}", f"courses/{word()}", f"ws/{word()}"):
            await client.get(f"/{path}")
            await client.request(word().upper(), f"/{path}")
        await client.get("/ws", params={word(): word()}, headers={"Upgrade": word()})
        await client.get("/health", headers={"X-Request-ID": word(), "Host": f"{word()}.example"})


async def odd_frames(stranger: Stranger, tickets: list[str]) -> None:
    """Command types, fields, garbage and close numbers that nobody has used before."""
    line = await stranger.open(f"/ws?ticket={tickets[0]}")
    assert (await line.message())["type"] == "welcome"
    for _ in range(5):
        assert (await line.ask(word()))["error"]["code"] == "unknown_command"
        assert (await line.ask("ping", **{word(): word()}))["error"]["code"] == "invalid_command"
    await line.send(frame(TEXT, word().encode()))
    await line.message()
    assert (await line.ask("subscribe", channel=word()))["error"]["code"] == "not_found"
    for ticket in tickets[1:]:
        line = await stranger.open(f"/ws?ticket={ticket}")
        await line.send(frame(CLOSE, struct.pack("!H", secrets.choice(NOBODYS)) + word().encode()))
        await line.closed()


async def test_odd_input_makes_no_new_series(house: House, stranger: Stranger) -> None:
    student = await house.student()
    seen = []
    for _ in range(3):
        await odd_requests(house)
        await odd_frames(stranger, [await student.ticket() for _ in range(4)])
        seen.append(await series(house))
    assert seen[1] == seen[2], "what comes again and again with other words leaves nothing new"
    assert not [line for line in seen[2] if re.search(r"odd[0-9a-f]{16}", line, re.IGNORECASE)]


async def test_every_label_is_of_our_tables(house: House, stranger: Stranger) -> None:
    student = await house.student()
    await odd_requests(house)
    await odd_frames(stranger, [await student.ticket() for _ in range(4)])
    found = list(labels(await series(house)))
    assert {value for _, label, value in found if label == "method"} <= METHODS
    assert {value for name, label, value in found if (name, label) == ("ws_closes_total", "code")} <= CODES
    assert {value for name, label, value in found if (name, label) == ("ws_commands_total", "type")} <= {
        *COMMANDS,
        "unknown",
    }
    assert all(value.isdecimal() for name, label, value in found if (name, label) == ("http_requests_total", "status"))
