"""Files in a container of Azure Blob Storage: every node and worker reaches them.

A file is put together there from blocks, and is there once their list is committed; blocks without a list are no file.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Any, ClassVar

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobSasPermissions, generate_blob_sas
from azure.storage.blob.aio import BlobClient, ContainerClient

from lms_rt.clock import Clock
from lms_rt.storage.embedded import StoreError
from lms_rt.storage.files.base import CHUNK_BYTES, Counting, FileMissing, FileStore, SavedFile, Served, checked_id
from lms_rt.undoing import undoing

BLOCK_BYTES = 1024 * 1024
"""50,000 of them are the most that Azure puts together: 48 GiB."""
FOLDER = "files/"
_TIMES: dict[str, Any] = {"connection_timeout": 5, "read_timeout": 30, "retry_total": 3}
_PIECE_SECONDS = 60.0
"""A piece comes within this time, tries and all, or the store is away."""
_UNDO_SECONDS = 20.0


class AzureFiles(FileStore):
    """Files of a container, under `files/`."""

    provider: ClassVar = "azure"

    def __init__(self, connection: str, container: str, *, clock: Clock) -> None:
        self._clock = clock
        self._container = ContainerClient.from_connection_string(
            connection,
            container,
            max_single_get_size=CHUNK_BYTES,  # else 32 MB of a file come before its first piece is given
            max_chunk_get_size=CHUNK_BYTES * 2,  # the one that comes is held beside the one that is taken
            **_TIMES,
        )

    async def save(self, file_id: str, chunks: AsyncIterator[bytes]) -> SavedFile:
        """Block by block, their list last."""
        blob, passing = self._blob(file_id), Counting()
        blocks: list[BlobBlock] = []

        async def let_go() -> None:
            if blocks:
                await _undo(blob)

        with _faults_told():
            async with undoing(let_go):
                async for block in _blocks(chunks, passing):
                    block_id = base64.b64encode(f"{len(blocks):08d}".encode()).decode()
                    await blob.stage_block(block_id, block)
                    blocks.append(BlobBlock(block_id))
                await blob.commit_block_list(blocks)
        return passing.saved

    async def read(self, file_id: str, *, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        """As it comes, a chunk ahead at most."""
        blob = self._blob(file_id)
        with _faults_told(file_id):
            there = await blob.get_blob_properties()
            end = there.size if size is None else min(there.size, start + size)
            if start >= end:
                return
            stream = await blob.download_blob(offset=start, length=end - start, max_concurrency=1)
            pieces = aiter(stream.chunks())
            while (piece := await _next(pieces)) is not None:
                for begin in range(0, len(piece), CHUNK_BYTES):
                    yield piece[begin : begin + CHUNK_BYTES]

    async def remove(self, file_id: str) -> None:
        """The file, or the blocks that were to be one."""
        blob = self._blob(file_id)
        with _faults_told():
            try:
                await blob.delete_blob()
            except ResourceNotFoundError:
                await _undo(blob)

    async def find_ids(self, *, before: datetime, limit: int, prefix: str = "", after: str = "") -> list[str]:
        """By the time of their last writing; blocks without a list, too."""
        found: list[str] = []
        with _faults_told():
            listed = self._container.list_blobs(name_starts_with=FOLDER + prefix, include=["uncommittedblobs"])
            async for item in listed:
                file_id = item.name.removeprefix(FOLDER)
                written = item.last_modified
                if file_id > after and (written is None or written < before):
                    found.append(file_id)
                    if len(found) == limit:
                        break
        return found

    async def signed_url(self, file_id: str, served: Served) -> str | None:
        """An address of the container's own; it opens this one file, as told. None without the account's key."""
        blob = self._blob(file_id)
        key = getattr(self._container.credential, "account_key", None)
        if not key:
            return None
        signature = generate_blob_sas(
            account_name=str(blob.account_name),
            container_name=blob.container_name,
            blob_name=blob.blob_name,
            account_key=key,
            permission=BlobSasPermissions(read=True),
            expiry=self._clock.now() + timedelta(seconds=served.expires_in_seconds),
            content_disposition=served.disposition,
            content_type=served.mime_type,
        )
        return f"{blob.url}?{signature}"

    async def ping(self) -> None:
        """Is the container there, and ours to use?"""
        with _faults_told():
            await self._container.get_container_properties()

    async def close(self) -> None:
        """Close the connections."""
        await self._container.close()

    def _blob(self, file_id: str) -> BlobClient:
        return self._container.get_blob_client(FOLDER + checked_id(file_id))


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    """The next one, each by a request of its own; None after the last."""
    async with asyncio.timeout(_PIECE_SECONDS):
        return await anext(pieces, None)


async def _blocks(chunks: AsyncIterator[bytes], passing: Counting) -> AsyncIterator[bytes]:
    """What comes, however it was cut, as blocks."""
    held = bytearray()
    async for chunk in chunks:
        held += passing.take(chunk)
        while len(held) >= BLOCK_BYTES:
            yield bytes(held[:BLOCK_BYTES])
            del held[:BLOCK_BYTES]
    if held:
        yield bytes(held)


async def _undo(blob: BlobClient) -> None:
    """Blocks cannot be removed; writing the file anew, empty, lets go of them. One that was there before stays as it was."""
    with suppress(AzureError, TimeoutError):
        async with asyncio.timeout(_UNDO_SECONDS):
            if not await blob.exists():
                await blob.upload_blob(b"", overwrite=True)
                await blob.delete_blob()


@contextmanager
def _faults_told(file_id: str = "") -> Iterator[None]:
    """What Azure says, in the house's words: that a file is missing, or that the store is away."""
    try:
        yield
    except ResourceNotFoundError as error:
        if file_id:
            raise FileMissing(file_id) from None
        raise StoreError("Azure has no such container") from error
    except (AzureError, TimeoutError) as error:
        raise StoreError(f"Azure cannot be reached: {type(error).__name__}") from error
