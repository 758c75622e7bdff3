"""Files in a bucket of Amazon's S3, or of any service that speaks it: every node and worker reaches them.

A small file is one request. A larger one is put together there from parts, each of which waits in an unnamed file of the local
disk until it is full: S3 takes none under 5 MiB, and twenty uploads at once must not hold a hundred. What is not put together
is none of the files, and is taken back.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import IO, Any, ClassVar

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import BotoCoreError, ClientError

from lms_rt.storage.embedded import StoreError
from lms_rt.storage.files.base import CHUNK_BYTES, Counting, FileMissing, FileStore, SavedFile, Served, checked_id
from lms_rt.undoing import undoing

PART_BYTES = 8 * 1024 * 1024
"""10,000 of them are the most that S3 puts together: 78 GiB."""
PIECE_BYTES = 1024 * 1024
"""So much is read at once, and held until it is taken."""
FOLDER = "files/"
_TRIES = 4
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 30.0
_PIECE_SECONDS = 60.0
"""A piece comes within this time, tries and all, or the store is away."""
_UNDO_SECONDS = 20.0
_CONNECTIONS = 64
_MISSING = frozenset({"NoSuchKey", "404", "NotFound", "NoSuchUpload"})


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where it is, and by which key it opens; without a key: that of the machine's role."""

    name: str
    region: str
    endpoint_url: str = ""
    access_key_id: str = ""
    secret_access_key: str = field(default="", repr=False)


class S3Files(FileStore):
    """Files of a bucket, under `files/`."""

    provider: ClassVar = "s3"

    def __init__(self, bucket: Bucket) -> None:
        self._bucket, self._stack = bucket, AsyncExitStack()
        self._opening = asyncio.Lock()
        self._client: Any = None
        self._reader: Any = None

    async def save(self, file_id: str, chunks: AsyncIterator[bytes]) -> SavedFile:
        """Part by part; what fits into one is put at once."""
        key, client, passing = _key(file_id), await self._opened(), Counting()
        with _faults_told():
            upload = _Upload(client, self._bucket.name, key)
            with closing(upload):
                async with undoing(upload.undo):
                    async for chunk in chunks:
                        await upload.add(passing.take(chunk))
                    await upload.finish()
        return passing.saved

    async def read(self, file_id: str, *, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        """Piece after piece, each by a request of its own: who reads slowly keeps no connection meanwhile."""
        await self._opened()
        key, place = _key(file_id), start
        if size == 0:
            await self._require(self._reader, key)
            return
        end = None if size is None else start + size
        with _faults_told(file_id):
            while end is None or place < end:
                until = place + PIECE_BYTES if end is None else min(place + PIECE_BYTES, end)
                piece, total = await self._piece(key, place, until)
                for begin in range(0, len(piece), CHUNK_BYTES):
                    yield piece[begin : begin + CHUNK_BYTES]
                place += len(piece)
                if not piece or place >= total:
                    return

    async def _piece(self, key: str, begin: int, end: int) -> tuple[bytes, int]:
        """From here to there, and how long the file is; nothing behind its end."""
        async with asyncio.timeout(_PIECE_SECONDS):
            try:
                reply = await self._reader.get_object(
                    Bucket=self._bucket.name, Key=key, Range=f"bytes={begin}-{end - 1}"
                )
            except ClientError as error:
                if _code(error) == "InvalidRange":
                    return b"", 0
                raise
            async with reply["Body"] as body:
                piece: bytes = await body.read()
        return piece, int(reply["ContentRange"].rpartition("/")[2])

    async def remove(self, file_id: str) -> None:
        """The file, and parts of it that were never put together."""
        key, client = _key(file_id), await self._opened()
        with _faults_told():
            await client.delete_object(Bucket=self._bucket.name, Key=key)
            begun = await client.list_multipart_uploads(Bucket=self._bucket.name, Prefix=key)
            for upload in begun.get("Uploads", ()):
                if upload["Key"] == key:
                    await self._abort(client, upload)

    async def find_ids(self, *, before: datetime, limit: int, prefix: str = "", after: str = "") -> list[str]:
        """By the time at which S3 had them. Parts that wait since then to be put together are removed on the way."""
        client, found = await self._opened(), list[str]()
        where = {"Bucket": self._bucket.name, "Prefix": FOLDER + prefix, "StartAfter": FOLDER + after}
        with _faults_told():
            await self._abort_old(client, before)
            async for page in client.get_paginator("list_objects_v2").paginate(**where):
                for item in page.get("Contents", ()):
                    if item["LastModified"] < before:
                        found.append(item["Key"].removeprefix(FOLDER))
                        if len(found) == limit:
                            return found
        return found

    async def signed_url(self, file_id: str, served: Served) -> str | None:
        """An address of the bucket's own; it opens this one file, as told."""
        client = await self._opened()
        told = {"ResponseContentType": served.mime_type, "ResponseContentDisposition": served.disposition}
        with _faults_told():
            url: str = await client.generate_presigned_url(
                "get_object",
                Params={"Bucket": self._bucket.name, "Key": _key(file_id), **told},
                ExpiresIn=served.expires_in_seconds,
            )
        return url

    async def ping(self) -> None:
        """Is the bucket there, and ours to use?"""
        client = await self._opened()
        with _faults_told():
            await client.head_bucket(Bucket=self._bucket.name)

    async def open(self) -> None:
        """Read what the clients are made from, which holds up the loop for half a second. Nothing is asked of S3 yet."""
        await self._opened()

    async def close(self) -> None:
        """Close the connections."""
        await self._stack.aclose()
        self._client = self._reader = None

    async def _opened(self) -> Any:
        if self._client is not None:
            return self._client
        async with self._opening:
            if self._client is None:
                # Who reads slowly holds connections for long: none of those that write, remove and ask.
                self._reader = await self._stack.enter_async_context(_client_of(self._bucket))
                self._client = await self._stack.enter_async_context(_client_of(self._bucket))
        return self._client

    async def _require(self, client: Any, key: str) -> None:
        with _faults_told(key):
            await client.head_object(Bucket=self._bucket.name, Key=key)

    async def _abort_old(self, client: Any, before: datetime) -> None:
        pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=self._bucket.name, Prefix=FOLDER)
        async for page in pages:
            for upload in page.get("Uploads", ()):
                if upload["Initiated"] < before:
                    await self._abort(client, upload)

    async def _abort(self, client: Any, upload: Any) -> None:
        with suppress(ClientError):
            await client.abort_multipart_upload(
                Bucket=self._bucket.name, Key=upload["Key"], UploadId=upload["UploadId"]
            )


class _Upload:
    """One file on its way: the part that fills up lies in an unnamed file of the local disk."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client, self._where = client, {"Bucket": bucket, "Key": key}
        self._part: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._held_bytes = 0
        self._upload_id = ""
        self._tags: list[dict[str, Any]] = []

    async def add(self, chunk: bytes) -> None:
        """A piece more."""
        view = memoryview(chunk)
        while view:
            some = view[: PART_BYTES - self._held_bytes]
            await asyncio.to_thread(self._part.write, some)
            self._held_bytes += len(some)
            view = view[len(some) :]
            if self._held_bytes == PART_BYTES:
                await self._send_part()

    async def finish(self) -> None:
        """Let it be a file."""
        if not self._upload_id:
            await self._rewind()
            await self._client.put_object(**self._where, Body=self._part)
            return
        if self._held_bytes:
            await self._send_part()
        parts = {"Parts": self._tags}
        await self._client.complete_multipart_upload(**self._where, UploadId=self._upload_id, MultipartUpload=parts)

    async def undo(self) -> None:
        """Let nothing stay of it. What cannot be taken back now, `find_ids` finds."""
        if self._upload_id:
            with suppress(ClientError, BotoCoreError, TimeoutError):
                async with asyncio.timeout(_UNDO_SECONDS):
                    await self._client.abort_multipart_upload(**self._where, UploadId=self._upload_id)

    def close(self) -> None:
        """Let go of the local file."""
        self._part.close()

    async def _send_part(self) -> None:
        if not self._upload_id:
            begun = await self._client.create_multipart_upload(**self._where)
            self._upload_id = begun["UploadId"]
        number = len(self._tags) + 1
        await self._rewind()
        sent = await self._client.upload_part(
            **self._where, UploadId=self._upload_id, PartNumber=number, Body=self._part
        )
        self._tags.append({"PartNumber": number, "ETag": sent["ETag"]})
        await asyncio.to_thread(self._empty)

    async def _rewind(self) -> None:
        await asyncio.to_thread(self._part.seek, 0)

    def _empty(self) -> None:
        if self._part.closed:  # the client closes what it has sent
            self._part = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._part.seek(0)
        self._part.truncate()
        self._held_bytes = 0


@cache
def _session() -> AioSession:
    """It reads what S3 is from files, once."""
    return get_session()


def _client_of(bucket: Bucket) -> Any:
    config = AioConfig(
        connect_timeout=_CONNECT_SECONDS,
        read_timeout=_READ_SECONDS,
        max_pool_connections=_CONNECTIONS,
        retries={"max_attempts": _TRIES, "mode": "standard"},  # with jitter
        signature_version="s3v4",
        s3={"addressing_style": "path" if bucket.endpoint_url else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return _session().create_client(
        "s3",
        region_name=bucket.region,
        endpoint_url=bucket.endpoint_url or None,
        aws_access_key_id=bucket.access_key_id or None,
        aws_secret_access_key=bucket.secret_access_key or None,
        config=config,
    )


def _key(file_id: str) -> str:
    return FOLDER + checked_id(file_id)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def _faults_told(file_id: str = "") -> Iterator[None]:
    """What S3 says, in the house's words: that a file is missing, or that the store is away."""
    try:
        yield
    except ClientError as error:
        if _code(error) in _MISSING and file_id:
            raise FileMissing(file_id) from None
        raise StoreError(f"S3 refused {error.operation_name}: {_code(error)}") from error
    except (BotoCoreError, TimeoutError) as error:
        raise StoreError(f"S3 cannot be reached: {type(error).__name__}") from error
