"""A process that makes an export and kills itself on the way: `python -m tests.workers.exporting_main EXPORT`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

from gridfs.synchronous import grid_file

from config.settings import load_settings
from lms_rt.bootstrap import open_services
from lms_rt.services import exports
from lms_rt.storage.files.base import CHUNK_BYTES


async def deadly(*_: Any) -> AsyncIterator[bytes]:
    """Some of the file, then the end, as `kill -9` would."""
    yield b"what they wrote!" * CHUNK_BYTES
    os.kill(os.getpid(), signal.SIGKILL)


async def main(export_id: str) -> None:
    """Begin it. The driver holds back some dozen megabytes, of which nothing would be left: here it holds back a chunk."""
    grid_file._UPLOAD_BUFFER_SIZE = CHUNK_BYTES  # type: ignore[attr-defined]
    exports.archived = deadly  # type: ignore[attr-defined,assignment]  # where the service looks for it
    async with open_services(load_settings(), is_worker=True) as services:
        await services.exports.build(export_id)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
