"""Which kinds of files are taken, and by what a file shows that it is of its kind: its first bytes. Pure.

What only the rest of a file shows is `file_insides.py`'s: the parts of office files, and that a text is one to its end.

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
from lms_rt.errors import Refused, invalid
from lms_rt.services.file_charsets import TEXT_TYPES, WRITTEN

HEAD_BYTES = 4096
"""So much of a file is looked at; a shorter one whole."""
MAX_NAME_LENGTH = 200

Shows = Callable[[bytes], bool]
"""Given the first bytes of a file (all of a shorter one): is it of this kind?"""

_UNFIT = re.compile(f'[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029{UNSEEN}"<>:|?*]+')
_PAGE = rb"<(?:!doctype|html|head|body|script|svg|iframe|\?xml-stylesheet)[\s>/]"
_RUN_BY_BROWSERS = re.compile(_PAGE, re.IGNORECASE)
_PAGE_FIRST = re.compile(rb"(?:\xef\xbb\xbf)?(?>(?:\s+|<!(?=--)(?s:.*?)--!?>|<\?xml\s[^>]*>)*)" + _PAGE, re.IGNORECASE)
"""A text may speak of pages: it is one where it begins as one, behind comments and what declares XML, if any."""
_OPEN_DOCUMENT = b"application/vnd.oasis.opendocument."
_PDF = re.compile(rb"(?:\xef\xbb\xbf)?[\0\t\n\f\r ]{0,1000}%PDF-")
"""Readers look for it in the first KiB; programs put a mark or empty lines before it. What else would stand there is not taken."""
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_SHAPES = {b"\x03\x00\xfe\xff\x09\x00", b"\x04\x00\xfe\xff\x0c\x00"}
"""Version, byte order, and the size of sectors, which goes with the version."""
_SUBTITLES = re.compile(rb"(?:\xef\xbb\xbf)?WEBVTT(?:[ \t\r\n]|$)")
_STILLS = frozenset((b"heic heix heim heis hevc hevx hevm hevs mif1 msf1 avif avis").split()) | {b"crx "}
_WEBM = re.compile(rb"\x42\x82(?:[\x80-\xff]|[\x40-\x7f].|\x01.{7})webm", re.DOTALL)
_ZIP = b"PK\x03\x04"
_ZIP_PARTS = re.compile(rb"PK\x03\x04")
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
    return head[4:8] == b"ftyp" and head[8:12] not in _STILLS


def _is_quicktime(head: bytes) -> bool:
    return _is_iso_media(head) or head[4:8] in {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}


def _is_mp3(head: bytes) -> bool:
    """A tag, or a frame of layer II or III at some rate: the mark of UTF-16 is none."""
    is_frame = len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 in {2, 4}
    return head.startswith(b"ID3") or (is_frame and head[2] >> 4 != 15 and head[2] >> 2 & 3 != 3)


def _is_ole(head: bytes) -> bool:
    """A compound file. Which, its streams say, and they may be named anywhere."""
    return head.startswith(_OLE) and head[26:32] in _OLE_SHAPES


def _is_webm(head: bytes) -> bool:
    """Matroska that says of itself to be WebM, which browsers play."""
    return head.startswith(b"\x1aE\xdf\xa3") and _WEBM.search(head[:256]) is not None


def _is_pdf(head: bytes) -> bool:
    return _PDF.match(head) is not None


def _first_part(head: bytes) -> bytes:
    """The name of the first file in a ZIP."""
    return head[30 : 30 + int.from_bytes(head[26:28], "little")] if head.startswith(_ZIP) else b""


def _office(folder: bytes) -> Shows:
    """An office file says what it is by the folder of its parts: by those in sight here, which may be none."""
    others = tuple(other for other in _OFFICE_FOLDERS if other != folder)

    def shows(head: bytes) -> bool:
        if not head.startswith(_ZIP):
            return False
        names = _part_names(head)
        return any(name.startswith(folder) for name in names) or not any(name.startswith(others) for name in names)

    return shows


def _part_names(head: bytes) -> list[bytes]:
    """The names of the files in a ZIP that are in sight."""
    starts = (found.start() for found in _ZIP_PARTS.finditer(head))
    return [_first_part(head[start:]) for start in starts]


def _open_document(of: bytes) -> Shows:
    """Its first part says it, as it is, and to its end: a template's says more. The next part follows, or what ends this one."""

    def shows(head: bytes) -> bool:
        begin = 38 + int.from_bytes(head[28:30], "little")
        return _first_part(head) == b"mimetype" and head[begin:].startswith(_OPEN_DOCUMENT + of + b"PK")

    return shows


def _is_text(head: bytes) -> bool:
    """Readable in one of the encodings that school programs write; nothing that a browser would take for a page."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16, as spreadsheets save it
        return True
    return not head.translate(None, WRITTEN)


def _is_subtitles(head: bytes) -> bool:
    return _SUBTITLES.match(head) is not None and _is_text(head)


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
        "pdf": Kind("application/pdf", "document", _is_pdf),
        "doc": Kind("application/msword", "document", _is_ole),
        "xls": Kind("application/vnd.ms-excel", "document", _is_ole),
        "ppt": Kind("application/vnd.ms-powerpoint", "document", _is_ole),
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
    begin = head[:1024]
    is_page = _PAGE_FIRST.match(begin) if kind.mime_type in TEXT_TYPES else _RUN_BY_BROWSERS.search(begin)
    if not kind.shows(head) or is_page:
        raise mismatched()


def mismatched() -> Refused:
    """What a file is refused with that is not of its kind."""
    return invalid("file", "What is in the file is not what its name says.", "mismatched_file_type")


def _cleaned(filename: str) -> str:
    """The last part of a path, without what is not seen, or means something to file systems and shells; its end is kept."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", filename))[-1]
    name = _UNFIT.sub("_", last).strip(" .")
    if len(name) > MAX_NAME_LENGTH:
        stem, dot, extension = name.rpartition(".")
        keep = MAX_NAME_LENGTH - len(extension) - 1
        name = f"{stem[:keep]}{dot}{extension}" if keep > 0 else name[:MAX_NAME_LENGTH]
    return name
