"""What an archive of a course must not hold is refused by its directory, before anything of it is unpacked."""

from __future__ import annotations

import hashlib
import io
import json
import stat
import zipfile
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from lms_rt.ids import derived_id
from lms_rt.interchange import course_archive as form
from lms_rt.interchange.course_archive import ArchiveFault, canonical_id, canonical_ids, opened, read_part, renamed

MAX = 64 << 20
PARTS = dict.fromkeys(form.REQUIRED, b"[]") | {form.COURSE: b'{"title":"Algebra"}'}
QUIZ = f"quizzes/{canonical_id('quz', 1)}.json"
FILE = f"files/{canonical_id('fil', 1)}"
Entries = list[tuple[zipfile.ZipInfo, bytes]]


def manifest(parts: dict[str, bytes], **more: Any) -> bytes:
    told = [
        {"name": name, "size_bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()} for name, raw in parts.items()
    ]
    return json.dumps({"format": form.FORMAT, "version": form.VERSION, "parts": told, **more}).encode()


def entries(parts: dict[str, bytes] | None = None, **more: Any) -> Entries:
    parts = PARTS if parts is None else parts
    return [(zipfile.ZipInfo(name), raw) for name, raw in (parts | {form.MANIFEST: manifest(parts, **more)}).items()]


def packed(found: Entries, *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as packing:
        for info, raw in found:
            info.compress_type = method
            packing.writestr(info, raw)
    return file.getvalue()


def refusal(raw: bytes, max_bytes: int = MAX) -> str:
    with pytest.raises(ArchiveFault) as fault:
        opened(io.BytesIO(raw), max_bytes=max_bytes)
    assert fault.value.words.isprintable()
    return fault.value.code


def with_entry(name: str, raw: bytes = b"x", *, mode: int = 0) -> bytes:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return packed([*entries(), (info, raw)])


def doubled() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return packed([*entries(), (zipfile.ZipInfo(form.COURSE), b"{}")])


def encrypted() -> bytes:
    raw = bytearray(packed(entries()))
    place = raw.index(b"PK\x01\x02")
    raw[place + 8] |= 1
    return bytes(raw)


def overlapping() -> bytes:
    """Two entries of the directory that lie in the same bytes."""
    raw = bytearray(packed(entries(PARTS | {QUIZ: b"{}", FILE: b"{}"}), method=zipfile.ZIP_STORED))
    places = [place for place in range(len(raw)) if raw[place : place + 4] == b"PK\x01\x02"]
    first, second = places[0], places[1]
    raw[second + 42 : second + 46] = raw[first + 42 : first + 46]
    return bytes(raw)


def crowded() -> bytes:
    """A directory that says it has more entries than anybody reads."""
    raw = bytearray(packed(entries()))
    raw[-14:-10] = (form.MAX_ENTRIES + 1).to_bytes(2, "little") * 2
    return bytes(raw)


def lying() -> bytes:
    """A part that is larger than the manifest says."""
    found = entries()
    return packed([(info, raw + b" " if info.filename == form.COURSE else raw) for info, raw in found])


HOSTILE: dict[str, tuple[Callable[[], bytes], str]] = {
    "a path upwards": (lambda: with_entry("../../etc/passwd"), "foreign_entry"),
    "a path upwards inside": (lambda: with_entry(f"files/../{FILE}"), "foreign_entry"),
    "an absolute path": (lambda: with_entry("/etc/passwd"), "foreign_entry"),
    "a drive": (lambda: with_entry("C:\\evil.json"), "foreign_entry"),
    "a backslash": (lambda: with_entry("files\\x"), "foreign_entry"),
    "another encoding": (lambda: with_entry("\u0645\u0644\u0641.json"), "foreign_entry"),
    "a directory": (lambda: with_entry("files/"), "foreign_entry"),
    "a symbolic link": (lambda: with_entry(FILE, b"/etc/passwd", mode=stat.S_IFLNK | 0o777), "foreign_entry"),
    "a device": (lambda: with_entry(FILE, mode=stat.S_IFBLK | 0o600), "foreign_entry"),
    "a name twice": (doubled, "doubled_entry"),
    "a secret": (encrypted, "foreign_entry"),
    "another packing": (lambda: packed(entries(), method=zipfile.ZIP_LZMA), "foreign_entry"),
    "a bomb": (lambda: packed(entries(PARTS | {FILE: bytes(4 << 20)})), "bomb"),
    "a quilt": (overlapping, "bomb"),
    "a crowd": (crowded, "too_many_entries"),
    "a giant part": (lambda: packed(entries(PARTS | {QUIZ: bytes(form.MAX_PART_BYTES + 1)})), "too_large"),
    "no course": (lambda: packed(entries({form.LESSONS: b"[]"})), "missing_part"),
    "no manifest": (lambda: packed(entries()[:-1]), "missing_part"),
    "an entry that is not told": (lambda: with_entry(QUIZ, b"{}"), "missing_part"),
    "a lie about a size": (lying, "damaged"),
    "the future": (lambda: packed(entries(version=form.VERSION + 1)), "newer_version"),
    "another format": (lambda: packed(entries(format="scorm")), "not_an_archive"),
    "nothing": (lambda: b"", "not_an_archive"),
    "something else": (lambda: b"%PDF-1.7 but no archive", "not_an_archive"),
    "half of one": (lambda: packed(entries())[:-30], "not_an_archive"),
    "its end alone": (lambda: packed(entries())[-22:], "not_an_archive"),
    "a comment": (lambda: packed(entries())[:-2] + b"\x02\x00hi", "not_an_archive"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_an_archive_must_not_hold_is_refused_with_the_reason(name: str) -> None:
    make, code = HOSTILE[name]
    assert refusal(make()) == code


def test_one_that_is_in_order_is_opened_and_no_larger_one_than_is_allowed() -> None:
    raw = packed(entries(PARTS | {FILE: b"bytes" * 1_000}))
    archive, told = opened(io.BytesIO(raw), max_bytes=MAX)
    assert json.loads(read_part(archive, form.COURSE)) == {"title": "Algebra"}
    assert {one.name for one in told.parts} == {*PARTS, FILE}
    assert refusal(raw, max_bytes=4_000) == "too_large"


def test_a_damaged_part_is_found_when_it_is_read() -> None:
    raw = bytearray(packed(entries(PARTS | {QUIZ: b'{"title": "Midterm, in many words"}'}), method=zipfile.ZIP_STORED))
    raw[raw.index(b"Midterm")] ^= 1
    archive, _ = opened(io.BytesIO(bytes(raw)), max_bytes=MAX)
    with pytest.raises(ArchiveFault) as fault:
        read_part(archive, QUIZ)
    assert fault.value.code == "damaged"


_WORDS = st.sampled_from([*(canonical_id(kind, n) for kind in ("les", "quz") for n in (1, 2)), "les_1", "x", "\u0639"])


@given(st.recursive(_WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3)))
@how(max_examples=30)
def test_ids_are_exchanged_wherever_they_stand_and_come_back(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()
    names = {one: derived_id(one[:3], "run", one) for one in canonical_ids(text)}
    there = renamed(text, names)
    assert not canonical_ids(there)
    assert renamed(there, {new: old for old, new in names.items()}) == text
    assert cast("Any", json.loads(there)) is not None
