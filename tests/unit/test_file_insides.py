"""Files of every kind as programs write them, and others that only look like one where they begin."""

from __future__ import annotations

import asyncio
import io
import random
import zipfile
from collections.abc import AsyncIterator

import pytest

from lms_rt.errors import Refused
from lms_rt.services.file_insides import watch_for, watched
from lms_rt.services.file_kinds import HEAD_BYTES, KINDS, refuse_other

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + b"\x3e\x00\x03\x00\xfe\xff\x09\x00" + bytes(480)
MESSAGE = b"\x0b\x0d\2\0\0\0\0\0\xc0\0\0\0\0\0\0\x46"
NOISE = random.Random(8).randbytes(9_000)  # noqa: S311 - the same each time
ODF = "application/vnd.oasis.opendocument."
TYPES = "[Content_Types].xml"
WORD = (TYPES, "_rels/.rels", "docProps/app.xml", "word/document.xml")
TABLE = (TYPES, "_rels/.rels", "xl/workbook.xml", "xl/worksheets/sheet1.xml")
SLIDES = (TYPES, "_rels/.rels", "ppt/presentation.xml")


def packed(*parts: str, first_bytes: int = 40, comment: bytes = b"", table: bytes = b"") -> bytes:
    """A ZIP of these parts; the first is so large, and packs badly. A table in it is not packed again."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for number, part in enumerate(parts):
            made.writestr(part, (NOISE * 2)[:first_bytes] if number == 0 else b"<x/>")
        if table:
            made.writestr("word/embeddings/sheet.xlsx", table, zipfile.ZIP_STORED)
        made.comment = comment
    return file.getvalue()


def wide(*parts: str, size: bytes) -> bytes:
    """The same with a table in it and a record of 64 bits behind its directory, and so the size of that in the record of 32 bits."""
    file = packed(*parts, table=packed(*TABLE))
    last = file.rindex(b"PK\5\6")
    count, length, at = (file[last + begin : last + end] for begin, end in ((10, 12), (12, 16), (16, 20)))
    wide_count, wide_length, wide_at = (number.ljust(8, b"\0") for number in (count, length, at))
    record = (
        b"PK\6\6" + (44).to_bytes(8, "little") + b"\x2d\0\x2d\0" + bytes(8) + 2 * wide_count + wide_length + wide_at
    )
    locator = b"PK\6\7" + bytes(4) + last.to_bytes(8, "little") + b"\1\0\0\0"
    return file[:last] + record + locator + file[last : last + 12] + (size or length) + file[last + 16 :]


def open_document(kind: str) -> bytes:
    """As the standard has it: its kind first, as it is."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("mimetype", ODF + kind)
        made.writestr("content.xml", "<x/>")
    return file.getvalue()


def streams(*names: str, before: int = 0, message: str = "") -> bytes:
    """A compound file whose directory stands behind so many sectors; one of its slots may say that it is a message."""
    slots = b"".join(
        name.encode("utf-16-le").ljust(64, b"\0")
        + (2 * len(name) + 2).to_bytes(2, "little")
        + b"\2".ljust(14, b"\0")
        + (MESSAGE if name == message else bytes(16))
        + bytes(32)
        for name in names
    )
    head = OLE[:48] + before.to_bytes(4, "little") + OLE[52:]
    return head + (NOISE * 9)[: 512 * before] + slots + bytes(-len(slots) % 512)


def boxes(brand: bytes) -> bytes:
    return b"\0\0\0\x18ftyp" + brand + b"\0\0\2\0isommp42" + b"\0\0\0\x08mdat"


TAKEN = {
    "docx of python-docx": ("docx", packed(*WORD)),
    "docx whose list of types is longer than what is looked at first": ("docx", packed(*WORD, first_bytes=9_000)),
    "docx that begins with another part": ("docx", packed("customUI/ui.xml", *WORD)),
    "docx with a table in it": ("docx", packed(*WORD, table=packed(*TABLE))),
    "docx with a comment": ("docx", packed(*WORD, comment=b"made at school")),
    "docx of 3,000 parts": ("docx", packed(*WORD, *(f"word/media/image{number}.png" for number in range(3_000)))),
    "docx of 9,000 parts": ("docx", packed(*WORD, *(f"word/media/image{number}.png" for number in range(9_000)))),
    "docx with a record of 64 bits": ("docx", wide(*WORD, size=b"")),
    "docx with a record of 64 bits only": ("docx", wide(*WORD, size=b"\xff" * 4)),
    "xlsx whose list of types stands last": ("xlsx", packed(*TABLE[1:], TYPES)),
    "pptx": ("pptx", packed(*SLIDES)),
    "odt": ("odt", open_document("text")),
    "ods": ("ods", open_document("spreadsheet")),
    "odp": ("odp", open_document("presentation")),
    "doc": ("doc", streams("Root Entry", "WordDocument", "1Table")),
    "doc whose directory stands behind its text": ("doc", streams("Root Entry", "WordDocument", before=80)),
    "doc with a table in it": ("doc", streams("Workbook", "WordDocument")),
    "doc with a message in it": (
        "doc",
        streams("Root Entry", "WordDocument", "_1", "__properties_version1.0", before=5, message="_1"),
    ),
    "xls of today": ("xls", streams("Root Entry", "Workbook")),
    "xls of 1995": ("xls", streams("Root Entry", "Book", before=3)),
    "ppt": ("ppt", streams("Current User", "PowerPoint Document")),
    "pdf": ("pdf", b"%PDF-1.7\n" + NOISE),
    "pdf behind empty lines": ("pdf", b"\xef\xbb\xbf\r\n\r\n%PDF-1.4\n" + NOISE),
    "mp4": ("mp4", boxes(b"isom")),
    "mp4 of a phone": ("mp4", boxes(b"mp42")),
    "m4a": ("m4a", boxes(b"M4A ")),
    "mov without a ftyp": ("mov", b"\0\0\0\x08wide\0\0\0\x08mdat"),
    "mp3": ("mp3", b"\xff\xfb\x90\x64" + NOISE),
    "mp3 with a tag": ("mp3", b"ID3\x04\0\0\0\0\0\0" + NOISE),
    "notes that speak of pages": ("md", b"# Pages\n\nA page begins with `<html>`:\n\n    <body class=x>\n"),
    "notes that begin with a comment": ("md", b"<!-- markdownlint-disable -->\n# Lesson 1\n"),
    "notes that begin with a long comment": ("md", b"<!--\n" + b"by the school\n" * 400 + b"-->\n# Lesson 1\n"),
    "notes that speak of a page behind a comment": ("md", b"<!-- a --><!-- b -->\nBegin with `<html>`.\n"),
    "an example of XML": ("txt", b'\xef\xbb\xbf<?xml version="1.0"?>\n<note>\n</note>\n'),
    "a table of an old program": ("csv", b"name;mark\r\nSara;9\r\n\x1a"),
    "a text in UTF-16": ("txt", "الدرس الأول\r\n".encode("utf-16") * 400),
    "an empty line": ("txt", b"\n"),
    "subtitles": ("vtt", b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"),
}
REFUSED = {
    "a table called a letter, behind a long list of types": ("docx", packed(*TABLE, first_bytes=9_000)),
    "a letter called slides": ("pptx", packed(*WORD, first_bytes=9_000)),
    "a letter with macros": ("docx", packed(*WORD, "word/vbaProject.bin")),
    "any ZIP that begins like a letter": ("docx", packed(TYPES, "run.exe", first_bytes=9_000)),
    "a letter that was cut": ("docx", packed(*WORD, first_bytes=9_000)[:9_000]),
    "a template called a text": ("odt", open_document("text-template")),
    "a table called a text": ("odt", open_document("spreadsheet")),
    "a message called a letter": ("doc", streams("__substg1.0_0037001F", "__properties_version1.0", before=80)),
    "a message with a letter in it": (
        "doc",
        streams("Root Entry", "__properties_version1.0", "WordDocument", before=80, message="Root Entry"),
    ),
    "an installer with a letter's name": ("doc", streams("\u4840\u3f7f\u4164\u422f\u4836", "WordDocument", before=80)),
    "an old table called a letter": ("doc", streams("Root Entry", "Workbook", before=80)),
    "a letter that only speaks of it": ("doc", OLE + b"x" * 10 + "WordDocument\0".encode("utf-16-le") + bytes(600)),
    "nothing but a head": ("doc", OLE),
    "a program before a PDF": ("pdf", b"MZ\x90\0" + b"%PDF-1.7\n"),
    "a page before a PDF": ("pdf", b"<html><script>1</script>\n%PDF-1.7\n"),
    "a still picture called a film": ("mp4", boxes(b"heim")),
    "a raw picture called a film": ("mp4", boxes(b"crx ")),
    "a text in UTF-16 called a sound": ("mp3", "Hello".encode("utf-16")),
    "a sound called a text": ("txt", b"\xff\xfe\x90\x64\x00\xd8\x00\xd8" + NOISE),
    "a program behind a text": ("txt", b"read me\n" * 1_000 + b"MZ\x90\0\3\0"),
    "a page called a text": ("txt", b"\xef\xbb\xbf  <!-- harmless -->\n<HTML ><script>1</script>"),
    "a page behind comments": ("md", b"<!-- a -->\n" * 9 + b'<?xml version="1.0"?><!--> <!DOCTYPE html>'),
    "a table of 9,000 parts called a letter": (
        "docx",
        packed(*TABLE, *(f"xl/media/image{number}.png" for number in range(9_000))),
    ),
    "a drawing called a text": ("md", b'<?xml version="1.0"?>\n<svg onload="1">'),
    "words that begin like subtitles": ("vtt", b"WEBVTTS are films\n"),
}


def is_taken(extension: str, content: bytes, step: int) -> bool:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(content), step):
            yield content[start : start + step]

    async def look() -> None:
        refuse_other(KINDS[extension], content[:HEAD_BYTES])
        async for _ in watched(pieces(), watch_for(extension)):
            pass

    try:
        asyncio.run(look())
    except Refused as refused:
        return refused.fields[0].code != "mismatched_file_type"
    return True


@pytest.mark.parametrize("step", [77, 65_536])
@pytest.mark.parametrize("name", [*TAKEN, *REFUSED])
def test_a_file_is_judged_by_all_that_tells_of_its_kind(name: str, step: int) -> None:
    assert is_taken(*(TAKEN | REFUSED)[name], step) == (name in TAKEN)
