"""Requests over a socket of one's own, for programs whose measuring must cost next to nothing. JSON in, JSON out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import orjson

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after_seconds(self) -> int | None:
        """When to come again; None: it does not say."""
        said = self.headers.get("retry-after")
        return None if said is None else int(said)


class HttpLine:
    """One connection that is kept for one request after the other."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        self._reader, self._writer, self._port = reader, writer, port

    @classmethod
    async def dial(cls, port: int) -> Self:
        """Connect."""
        async with asyncio.timeout(_SECONDS):
            return cls(*await asyncio.open_connection("127.0.0.1", port), port)

    async def ask(self, method: str, path: str, *headers: str, body: Any = None) -> Reply:
        """One request, and its answer."""
        content = b"" if body is None else orjson.dumps(body)
        head = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{self._port}", *headers]
        if content:
            head += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        self._writer.write("\r\n".join([*head, "", ""]).encode() + content)
        async with asyncio.timeout(_SECONDS):
            return await self._answer()

    def close(self) -> None:
        """Be gone."""
        self._writer.close()

    async def _answer(self) -> Reply:
        first, *lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines if line)
        headers = {name.lower(): value for name, value in fields.items()}
        body = await self._reader.readexactly(int(headers.get("content-length", 0)))
        return Reply(int(first.split()[1]), headers, body)
