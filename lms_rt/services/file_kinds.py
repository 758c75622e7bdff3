"""Which kinds of files are taken, and by what a file shows that it is of its kind: its first bytes. Pure.

What the sender declares is not asked. A kind that has no rule here is not taken, whatever the settings allow; what a browser
might run (HTML, SVG, scripts) has none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lms_rt.contracts.writing import UNSEEN
from lms_rt.errors import invalid

HEAD_BYTES = 4096
"""So much of a file is looked at; a shorter one whole."""
MAX_NAME_LENGTH = 200

Shows = Callable[[bytes], bool]
"""Given the first bytes of a file (all of a shorter one): is it of this kind?"""

_UNFIT = re.compile(f'[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029{UNSEEN}"<>:|?*]+')
_RUN_BY_BROWSERS = re.compile(rb"<(?:!doctype|html|head|body|script|svg|iframe|\?xml-stylesheet)[\s>/]", re.IGNORECASE)
_OPEN_DOCUMENT = b"mimetypeapplication/vnd.oasis.opendocument."
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_SHAPES = {b"\x03\x00\xfe\xff\x09\x00", b"\x04\x00\xfe\xff\x0c\x00"}
"""Version, byte order, and the size of sectors, which goes with the version."""
_OLE_STREAMS = {
    name: tuple(word.encode("utf-16-le") for word in words)
    for name, words in {
        "doc": ("WordDocument",),
        "xls": ("Workbook\0", "Book\0"),
        "ppt": ("PowerPoint Document",),
        "other": ("__substg1.0_", "__properties_version1.0", "\u4840\u3b3f", "\u4840\u3f3f"),  # messages, installers
    }.items()
}
_WEBM = re.compile(rb"\x42\x82(?:[\x80-\xff]|[\x40-\x7f].|\x01.{7})webm", re.DOTALL)
_ZIP = b"PK\x03\x04"
_ZIP_PARTS = re.compile(rb"PK\x03\x04")
_OFFICE_PARTS = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"customXml/")
_OFFICE_FOLDERS = (b"word/", b"xl/", b"ppt/")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of files."""

    mime_type: str
    file_type: str
    shows: Shows

    @property
    def is_image(self) -> bool:
        """Is it drawn anew before anybody else sees it?"""
        return self.file_type == "image"


@dataclass(frozen=True, slots=True)
class Named:
    """A file by its name: what it is called, and what it has to be."""

    original_filename: str
    extension: str
    kind: Kind


def _begins(*signatures: bytes) -> Shows:
    return lambda head: head.startswith(signatures)


def _riff(form: bytes) -> Shows:
    return lambda head: head.startswith(b"RIFF") and head[8:12] == form


def _is_iso_media(head: bytes) -> bool:
    """MP4 and its kin: a `ftyp` box first, of no still image."""
    return head[4:8] == b"ftyp" and head[8:12] not in {b"heic", b"heix", b"mif1", b"msf1", b"avif", b"avis"}


def _is_quicktime(head: bytes) -> bool:
    return _is_iso_media(head) or head[4:8] in {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}


def _is_mp3(head: bytes) -> bool:
    is_frame = len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0
    return head.startswith(b"ID3") or is_frame


def _ole(name: str) -> Shows:
    """A compound file says what it is by the names of its streams; where none is in sight, by what all have."""
    others = tuple(word for other, words in _OLE_STREAMS.items() if other != name for word in words)

    def shows(head: bytes) -> bool:
        if not head.startswith(_OLE) or head[26:32] not in _OLE_SHAPES:
            return False
        return any(word in head for word in _OLE_STREAMS[name]) or not any(word in head for word in others)

    return shows


def _is_webm(head: bytes) -> bool:
    """Matroska that says of itself to be WebM, which browsers play."""
    return head.startswith(b"\x1aE\xdf\xa3") and _WEBM.search(head[:256]) is not None


def _first_part(head: bytes) -> bytes:
    """The name of the first file in a ZIP."""
    return head[30 : 30 + int.from_bytes(head[26:28], "little")] if head.startswith(_ZIP) else b""


def _office(folder: bytes) -> Shows:
    """An office file says what it is by the folder of its parts; where none is in sight, by the parts that all have."""
    others = tuple(other for other in _OFFICE_FOLDERS if other != folder)

    def shows(head: bytes) -> bool:
        if not _first_part(head).startswith((*_OFFICE_PARTS, folder)):
            return False
        names = _part_names(head)
        return any(name.startswith(folder) for name in names) or not any(name.startswith(others) for name in names)

    return shows


def _part_names(head: bytes) -> list[bytes]:
    """The names of the files in a ZIP that are in sight."""
    starts = (found.start() for found in _ZIP_PARTS.finditer(head))
    return [_first_part(head[start:]) for start in starts]


def _open_document(of: bytes) -> Shows:
    return lambda head: head.startswith(_ZIP) and head[30:].startswith(_OPEN_DOCUMENT + of)


def _is_text(head: bytes) -> bool:
    """Readable in one of the encodings that school programs write; nothing that a browser would take for a page."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16, as spreadsheets save it
        return True
    return not any(byte < 9 or 13 < byte < 32 for byte in head if byte != 0x1B)


def _is_subtitles(head: bytes) -> bool:
    return head.removeprefix(b"\xef\xbb\xbf").startswith(b"WEBVTT") and _is_text(head)


_JPEG = Kind("image/jpeg", "image", _begins(b"\xff\xd8\xff"))
_OFFICE = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "jpg": _JPEG,
        "jpeg": _JPEG,
        "png": Kind("image/png", "image", _begins(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")),
        "gif": Kind("image/gif", "image", _begins(b"GIF87a", b"GIF89a")),
        "webp": Kind("image/webp", "image", _riff(b"WEBP")),
        "mp4": Kind("video/mp4", "video", _is_iso_media),
        "m4v": Kind("video/mp4", "video", _is_iso_media),
        "mov": Kind("video/quicktime", "video", _is_quicktime),
        "avi": Kind("video/x-msvideo", "video", _riff(b"AVI ")),
        "webm": Kind("video/webm", "video", _is_webm),
        "mp3": Kind("audio/mpeg", "audio", _is_mp3),
        "m4a": Kind("audio/mp4", "audio", _is_iso_media),
        "ogg": Kind("audio/ogg", "audio", _begins(b"OggS")),
        "wav": Kind("audio/wav", "audio", _riff(b"WAVE")),
        "pdf": Kind("application/pdf", "document", _begins(b"%PDF-")),
        "doc": Kind("application/msword", "document", _ole("doc")),
        "xls": Kind("application/vnd.ms-excel", "document", _ole("xls")),
        "ppt": Kind("application/vnd.ms-powerpoint", "document", _ole("ppt")),
        "docx": Kind(f"{_OFFICE}wordprocessingml.document", "document", _office(b"word/")),
        "xlsx": Kind(f"{_OFFICE}spreadsheetml.sheet", "document", _office(b"xl/")),
        "pptx": Kind(f"{_OFFICE}presentationml.presentation", "document", _office(b"ppt/")),
        "odt": Kind(f"{_ODF}text", "document", _open_document(b"text")),
        "ods": Kind(f"{_ODF}spreadsheet", "document", _open_document(b"spreadsheet")),
        "odp": Kind(f"{_ODF}presentation", "document", _open_document(b"presentation")),
        "txt": Kind("text/plain", "document", _is_text),
        "md": Kind("text/markdown", "document", _is_text),
        "csv": Kind("text/csv", "document", _is_text),
        "vtt": Kind("text/vtt", "other", _is_subtitles),
        "zip": Kind("application/zip", "archive", _begins(_ZIP, b"PK\x05\x06")),
    }
)
"""Every kind that can be taken, by its extension."""


def named(filename: str, allowed: frozenset[str]) -> Named:
    """What a file of this name has to be; 422 for a name that is none, and for a kind that is not taken."""
    name = _cleaned(filename)
    stem, dot, extension = name.rpartition(".")
    extension = extension.lower()
    if not dot or not stem.strip(". ") or extension not in allowed or extension not in KINDS:
        taken = ", ".join(sorted(allowed & KINDS.keys()))
        raise invalid("file", f"Files of this kind are not taken; send one of {taken}.", "unsupported_file_type")
    return Named(f"{stem}.{extension}", extension, KINDS[extension])


def refuse_other(kind: Kind, head: bytes) -> None:
    """Refuse (422) a file whose first bytes are not those of its kind, or which a browser would take for a page."""
    if not head:
        raise invalid("file", "The file is empty.", "empty_file")
    if not kind.shows(head) or _RUN_BY_BROWSERS.search(head[:1024]):
        raise invalid("file", "What is in the file is not what its name says.", "mismatched_file_type")


def _cleaned(filename: str) -> str:
    """The last part of a path, without what is not seen, or means something to file systems and shells; its end is kept."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", filename))[-1]
    name = _UNFIT.sub("_", last).strip(" .")
    if len(name) > MAX_NAME_LENGTH:
        stem, dot, extension = name.rpartition(".")
        keep = MAX_NAME_LENGTH - len(extension) - 1
        name = f"{stem[:keep]}{dot}{extension}" if keep > 0 else name[:MAX_NAME_LENGTH]
    return name
