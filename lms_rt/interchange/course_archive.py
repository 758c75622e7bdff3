"""The format of a course in one file: a ZIP whose parts are named, whose ids are numbers in order, and whose sums are told. Pure.

In an archive every id is that of its kind and its place (`les_000…001`): two exports of one course are the same, part by part,
and so is the export of what was imported. What the parts mean is not known here, nor where archives lie.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import IO, Annotated, BinaryIO, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

FORMAT = "lms-course"
VERSION = 1
MANIFEST = "manifest.json"
COURSE, LESSONS, ASSIGNMENTS, FILES = "course.json", "lessons.json", "assignments.json", "files.json"
GRADEBOOK, CERTIFICATE = "gradebook.json", "certificate.json"
REQUIRED = (COURSE, LESSONS, ASSIGNMENTS, FILES)

MAX_ENTRIES = 5_000
MAX_DIRECTORY_BYTES = 4 << 20
MAX_PART_BYTES = 12 << 20
"""A quiz with all its questions has 8 MiB at most."""
MAX_JSON_BYTES = 256 << 20
MAX_IDS = 50_000
"""So many different ids in all its parts."""
MAX_RATIO = 200
"""No text is packed more tightly; what is that small may be as tight as it likes."""
_RATIO_FROM = 1 << 20
_NUMBER = r"0{17}[0-9]{9}"
QUIZ_NAME = re.compile(rf"quizzes/quz_{_NUMBER}\.json")
FILE_NAME = re.compile(rf"files/fil_{_NUMBER}")
_TEXTS = frozenset({MANIFEST, COURSE, LESSONS, ASSIGNMENTS, FILES, GRADEBOOK, CERTIFICATE})
_ID = re.compile(rb"[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}")
_CANONICAL = re.compile(rb"[a-z]{3}_0{17}[0-9]{9}")
_END = struct.Struct("<4s4H2LH")
_END_64_PLACE = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")


class ArchiveFault(Exception):
    """The archive is refused: a stable code, and words for people."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code, self.words = code, words


class PartSum(BaseModel):
    """One part: what it is called, how large it is, and its SHA-256."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, StringConstraints(max_length=200)]
    size_bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Manifest(BaseModel):
    """What an archive says of itself."""

    model_config = ConfigDict(extra="ignore")

    format: Literal["lms-course"]
    version: int
    title: str = ""
    exported_at: str = ""
    made_by: str = ""
    parts: Annotated[list[PartSum], Field(max_length=MAX_ENTRIES)]


# --- ids ---


def canonical_id(prefix: str, place: int) -> str:
    """The id that the so-manieth thing of a kind has in an archive, from 1."""
    return f"{prefix}_{place:026d}"


def renamed(text: bytes, names: Mapping[str, str]) -> bytes:
    """A JSON text with every id that is known exchanged for its other one, wherever it stands; others stay."""

    def other(match: re.Match[bytes]) -> bytes:
        found = match.group().decode()
        return names.get(found, found).encode()

    return _ID.sub(other, text)


def canonical_ids(text: bytes) -> set[str]:
    """All ids of an archive that stand in this text."""
    return {match.decode() for match in _CANONICAL.findall(text)}


# --- what is let in ---


def opened(file: BinaryIO, *, max_bytes: int) -> tuple[zipfile.ZipFile, Manifest]:
    """The archive, when every entry of it may be read: by its directory alone, no entry but the manifest is unpacked."""
    _check_end(file)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, EOFError, struct.error, NotImplementedError):
        raise ArchiveFault("not_an_archive", "This is no archive of a course, or a part of it is missing.") from None
    infos = archive.infolist()
    _check_names(infos)
    for info in infos:
        _check_entry(info)
    _check_places(infos)
    if sum(info.file_size for info in infos) > max_bytes:
        raise ArchiveFault("too_large", f"Unpacked, the archive has more than {max_bytes >> 20} MiB.")
    if sum(info.file_size for info in infos if info.filename.endswith(".json")) > MAX_JSON_BYTES:
        raise ArchiveFault("too_large", f"The texts of the archive have more than {MAX_JSON_BYTES >> 20} MiB.")
    return archive, _manifest(archive)


def read_part(archive: zipfile.ZipFile, name: str) -> bytes:
    """One text of the archive, whole. A damaged one is refused."""
    try:
        with archive.open(name) as part:
            raw = part.read(MAX_PART_BYTES + 1)
            if not part.read(1) and len(raw) <= MAX_PART_BYTES:
                return raw
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, struct.error) as error:
        raise damaged(name) from error
    except Exception as error:
        if type(error).__module__ != "zlib":
            raise
        raise damaged(name) from error
    raise ArchiveFault("too_large", f"{name} is larger than a part may be.")


def open_part(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """A part, to be read by pieces. One that does not begin as the directory says is refused."""
    try:
        return archive.open(name)
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError, struct.error) as error:
        raise damaged(name) from error


def damaged(name: str) -> ArchiveFault:
    """The fault of a part that is not as it was written."""
    return ArchiveFault("damaged", f"{name} is damaged: it is not what was written.")


def _check_end(file: BinaryIO) -> None:
    """How many entries there are and how long their directory is, before anything of it is read into memory."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END.size))
    raw = file.read(_END.size)
    if len(raw) < _END.size or raw[:4] != b"PK\x05\x06" or raw[-2:] != b"\0\0":
        raise ArchiveFault("not_an_archive", "This is no archive of a course, or its end is missing.")
    _, disk, first, here, entries, length, start, _ = _END.unpack(raw)
    if disk or first or here != entries:
        raise ArchiveFault("not_an_archive", "The archive is in several pieces.")
    if entries == 0xFFFF or 0xFFFFFFFF in (length, start):
        entries, length = _end_64(file, size)
    if entries > MAX_ENTRIES or length > MAX_DIRECTORY_BYTES:
        raise ArchiveFault("too_many_entries", f"An archive has {MAX_ENTRIES} entries at most.")


def _end_64(file: BinaryIO, size: int) -> tuple[int, int]:
    file.seek(max(0, size - _END.size - _END_64_PLACE.size))
    raw = file.read(_END_64_PLACE.size)
    if len(raw) < _END_64_PLACE.size or raw[:4] != b"PK\x06\x07":
        return MAX_ENTRIES + 1, 0
    file.seek(max(0, size - _END.size - _END_64_PLACE.size - _END_64.size))
    raw = file.read(_END_64.size)
    if len(raw) < _END_64.size or raw[:4] != b"PK\x06\x06":
        raise ArchiveFault("not_an_archive", "The end of the archive is damaged.")
    fields = _END_64.unpack(raw)
    return int(fields[7]), int(fields[8])


def _check_names(infos: Sequence[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for info in infos:
        name = info.filename
        if info.orig_filename != name or not _is_known(name):
            shown = name[:80].encode("ascii", "backslashreplace").decode()
            raise ArchiveFault("foreign_entry", f"An archive of a course holds nothing called {shown!r}.")
        if name in seen:
            raise ArchiveFault("doubled_entry", f"{name} is in the archive twice.")
        seen.add(name)
    if missing := [name for name in (MANIFEST, *REQUIRED) if name not in seen]:
        raise ArchiveFault("missing_part", f"The archive has no {missing[0]}.")


def _is_known(name: str) -> bool:
    return name in _TEXTS or bool(QUIZ_NAME.fullmatch(name) or FILE_NAME.fullmatch(name))


def _check_entry(info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise ArchiveFault("foreign_entry", f"{info.filename} is no ordinary file but a link or a device.")
    if info.flag_bits & 0x2041 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveFault("foreign_entry", f"{info.filename} is encrypted, or packed in a way that is not known here.")
    if info.filename.endswith(".json") and info.file_size > MAX_PART_BYTES:
        raise ArchiveFault("too_large", f"{info.filename} is larger than a part may be.")
    if info.file_size > _RATIO_FROM and info.file_size > MAX_RATIO * max(1, info.compress_size):
        raise ArchiveFault("bomb", f"{info.filename} would be more than {MAX_RATIO} times as large unpacked.")


def _check_places(infos: Sequence[zipfile.ZipInfo]) -> None:
    """No two entries in the same bytes: a small file could be unpacked a thousand times over."""
    end = 0
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset < end:
            raise ArchiveFault("bomb", f"{info.filename} lies in the bytes of another part.")
        end = info.header_offset + 30 + info.compress_size


def _manifest(archive: zipfile.ZipFile) -> Manifest:
    try:
        manifest = Manifest.model_validate_json(read_part(archive, MANIFEST))
    except ValidationError:
        raise ArchiveFault("not_an_archive", "The manifest of the archive cannot be read.") from None
    if not 1 <= manifest.version <= VERSION:
        words = f"The archive is of version {manifest.version}; this school reads up to {VERSION}."
        raise ArchiveFault("newer_version", words)
    told = {part.name: part for part in manifest.parts}
    there = {info.filename: info.file_size for info in archive.infolist() if info.filename != MANIFEST}
    if len(told) != len(manifest.parts) or told.keys() != there.keys():
        raise ArchiveFault("missing_part", "The archive does not hold what its manifest names.")
    for name, size in there.items():
        if told[name].size_bytes != size:
            raise damaged(name)
    return manifest
