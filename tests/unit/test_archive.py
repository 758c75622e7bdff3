"""The ZIP of an export: any reader opens it, the same content makes the same bytes, and it comes piece by piece."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from lms_rt.services.archive import Entry, archived

AT = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


async def some(*items: Any) -> AsyncIterator[Any]:
    for item in items:
        yield item


async def entries() -> AsyncIterator[Entry]:
    yield Entry("README.txt", text="مرحبا\n")
    yield Entry("empty.json", items=some())
    yield Entry("attempts/att_1.json", items=some({"at": AT, "name": "ليلى"}, {"n": 2}))


async def packed() -> bytes:
    return b"".join([piece async for piece in archived(entries(), AT)])


async def test_it_holds_what_was_put_in() -> None:
    with zipfile.ZipFile(io.BytesIO(await packed())) as opened:
        assert opened.testzip() is None
        assert opened.namelist() == ["README.txt", "empty.json", "attempts/att_1.json"]
        assert opened.read("README.txt").decode() == "مرحبا\n"
        assert json.loads(opened.read("empty.json")) == []
        assert json.loads(opened.read("attempts/att_1.json")) == [
            {"at": "2026-01-05T09:00:00.000Z", "name": "ليلى"},
            {"n": 2},
        ]


async def test_the_same_makes_the_same() -> None:
    assert await packed() == await packed()


async def test_of_much_only_little_is_held() -> None:
    async def many() -> AsyncIterator[Any]:
        for number in range(100):
            yield {"n": number, "noise": noise(number)}

    async def one() -> AsyncIterator[Entry]:
        yield Entry("much.json", items=many())

    sizes = [len(piece) async for piece in archived(one(), AT)]
    assert sum(sizes) > 1_000_000
    assert max(sizes) < 400_000


def noise(seed: int) -> str:
    """20,000 signs that cannot be packed well."""
    return "".join(hashlib.sha512(f"{seed}:{n}".encode()).hexdigest() for n in range(157))[:20_000]
