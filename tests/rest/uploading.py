"""Files to upload, forms by hand, and what a school holds of files. No tests."""

from __future__ import annotations

import asyncio
import io
import zipfile
import zlib
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from PIL import Image

from documents.stored_file import StoredFile
from documents.upload_session import UploadSession
from tests.clients import Visitor
from tests.house import House
from tests.working import PATIENCE_SECONDS

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 64
BOUNDARY = "-- a boundary --"
FORM = {"Content-Type": f'multipart/form-data; boundary="{BOUNDARY}"'}


def photo(name: str = "JPEG", size: tuple[int, int] = (640, 480)) -> bytes:
    """An image that tells where it was taken, and by whom; turned by its camera."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned
    exif[0x013B] = "Secret Photographer"
    exif.get_ifd(0x8825)[1] = "N"
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(file, name, exif=exif)
    return file.getvalue()


def phone_photo() -> bytes:
    """A JPEG with a second picture in it, as some phones take them."""
    exif = Image.Exif()
    exif[0x0112] = 6
    file, second = io.BytesIO(), Image.new("RGB", (64, 48), (0, 90, 0))
    Image.new("RGB", (64, 48), (200, 30, 30)).save(file, "MPO", save_all=True, append_images=[second], exif=exif)
    return file.getvalue()


def film(name: str) -> bytes:
    """Three pictures, each with a time of its own."""
    file, colours = io.BytesIO(), ((200, 0, 0), (0, 200, 0), (0, 0, 200))
    first, *others = (Image.new("RGB", (16, 16), colour) for colour in colours)
    first.save(file, name, save_all=True, append_images=others, duration=[100, 700, 40], loop=0)
    return file.getvalue()


def office(*parts: str) -> bytes:
    """An office file of these parts."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for part in ("[Content_Types].xml", "_rels/.rels", *parts):
            packed.writestr(part, "<x/>")
    return file.getvalue()


def bomb_of(width: int, height: int) -> bytes:
    """A small file that says it is a large picture."""
    file = io.BytesIO()
    Image.new("1", (8, 8)).save(file, "PNG")
    head = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + file.getvalue()[24:29]
    return file.getvalue()[:12] + head + zlib.crc32(head).to_bytes(4, "big") + file.getvalue()[33:]


def form(*parts: tuple[str, str | None, bytes], end: bool = True) -> bytes:
    """A form of (name, filename, content), as programs send it."""
    body = b""
    for name, filename, content in parts:
        named = f'; filename="{filename}"' if filename is not None else ""
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode() if end else body


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Return once it is so: the school does it by itself."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await is_so():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def upload(visitor: Visitor, filename: str = "paper.pdf", content: bytes = PDF, **fields: str) -> dict[str, Any]:
    """A file uploaded."""
    file: dict[str, Any] = await visitor.ok("POST", "/files/upload", files={"file": (filename, content)}, data=fields)
    return file


async def content_of(house: House, file_id: str) -> bytes:
    """The bytes that are kept of a file."""
    return b"".join([piece async for piece in house.services.files.content(file_id, may_be_raw=True)])


async def held_by(house: House, visitor: Visitor) -> tuple[int, int, int]:
    """How many files and unfinished uploads somebody has, and how many bytes are counted for them."""
    files = await StoredFile.rows().count_documents({"uploader_id": visitor.user_id})
    begun = await UploadSession.rows().count_documents({"owner_id": visitor.user_id})
    used = await house.services.files.quotas.of_user(visitor.user_id)
    return files, begun, used.used_bytes


async def unnamed_bytes(house: House) -> list[str]:
    """What lies in the store that no file and no upload speaks of."""
    store, later = house.services.file_store, house.services.clock.now() + timedelta(days=1)
    there = [one for one in await store.find_ids(before=later, limit=1000) if one.startswith(("blb_", "prt_"))]
    known = await StoredFile.find_named(there) | await UploadSession.find_named(there)
    return sorted(set(there) - known)
