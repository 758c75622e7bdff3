"""Long replies over a real socket: written as they come, and never taken for whole when they broke."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

import httpx
import pytest

from handlers.rest import base
from handlers.rest.access import PUBLIC
from handlers.rest.calls import Call, Reply
from handlers.rest.operations import Operation
from lms_rt.errors import Code, Refused
from tests.rest.conftest import Serve, Table

PIECES = 200
PIECE = b"0123456789abcdef" * 4_096
_closed: list[str] = []


@pytest.fixture(autouse=True)
def _nothing_closed() -> Iterator[None]:
    _closed.clear()
    yield
    _closed.clear()


async def pieces(how: str) -> AsyncGenerator[bytes, None]:
    """So many pieces, or fewer."""
    try:
        if how == "refused":
            raise Refused(Code.CONFLICT, "Not now.")
        if how == "nothing":
            return
        for number in range(PIECES):
            if how == "broken" and number == 3:
                raise RuntimeError("secret-detail")
            yield PIECE
    finally:
        _closed.append(how)


async def long(call: Call) -> Reply:
    """A long reply of one kind or another."""
    return Reply(stream=pieces(call.path["how"]), content_type="text/csv; charset=utf-8", headers={"X-Made": "yes"})


TABLE = (Operation("GET", "/long/{how}", long, PUBLIC, reply=bytes, gives=("text/csv",), summary="Long"),)


@pytest.fixture
async def place(serve: Serve) -> Table:
    return await serve(TABLE)


async def test_all_of_it_comes_and_is_not_compressed(place: Table) -> None:
    reply = await place.client.get("/api/v1/long/whole", headers={"Accept-Encoding": "gzip"})
    assert reply.status_code == 200
    assert reply.content == PIECE * PIECES
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert reply.headers["X-Made"] == "yes"
    assert "Content-Encoding" not in reply.headers


async def test_its_head_says_the_same(place: Table) -> None:
    reply = await place.client.head("/api/v1/long/whole")
    assert (reply.status_code, reply.content) == (200, b"")
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert _closed == ["whole"]


async def test_what_is_refused_before_the_first_piece_is_a_problem_like_any_other(place: Table) -> None:
    reply = await place.client.get("/api/v1/long/refused")
    assert (reply.status_code, reply.json()["code"]) == (409, "conflict")


async def test_of_nothing_comes_an_empty_body(place: Table) -> None:
    reply = await place.client.get("/api/v1/long/nothing")
    assert (reply.status_code, reply.content) == (200, b"")


async def test_what_broke_midway_is_not_taken_for_whole(place: Table, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await place.client.get("/api/v1/long/broken")
    assert _closed == ["broken"]
    assert "secret-detail" in caplog.text  # in the log alone
    assert (await place.client.get("/api/v1/long/nothing")).status_code == 200


async def test_who_takes_nothing_is_let_go(place: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "STALL_SECONDS", 0.05)
    async with place.client.stream("GET", "/api/v1/long/whole") as reply:
        assert reply.status_code == 200
        while not _closed:  # more than any buffer between us holds is on its way, and nobody reads
            await place.client.get("/api/v1/long/nothing")
            _closed[:] = [how for how in _closed if how != "nothing"]
    assert _closed == ["whole"]
