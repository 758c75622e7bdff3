"""Encodings of texts, told from all of their bytes; and files that say of which kind they are."""

from __future__ import annotations

import pytest

from lms_rt.errors import Refused
from lms_rt.services.file_charsets import TextWatch
from lms_rt.services.file_kinds import KINDS, refuse_other

WORDS = "الدرس الأول في الجبر"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16) + b"\x3e\x00\x03\x00\xfe\xff\x09\x00" + bytes(480)
EBML = b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\xf7\x81\x01B\xf2\x81\x04B\xf3\x81\x08B\x82"


@pytest.mark.parametrize(
    ("raw", "charset"),
    [
        (b"plain", "utf-8"),
        (WORDS.encode(), "utf-8"),
        (b"x" * 9_000 + WORDS.encode(), "utf-8"),
        ("\ufeffشكرا".encode(), "utf-8"),
        (WORDS.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + WORDS.encode("utf-16-be"), "utf-16"),
        (WORDS.encode("cp1256"), "windows-1256"),
        (b"Name,Mark\n" * 900 + WORDS.encode("cp1256"), "windows-1256"),
        ("Málaga, Ångström".encode("latin-1"), None),
        ("Créé à Málaga. Où ça?".encode("latin-1"), None),
        (WORDS.encode()[:-1], None),
    ],
)
@pytest.mark.parametrize("step", [1, 4_096])
def test_the_encoding_of_a_text_is_told_however_it_came(raw: bytes, charset: str | None, step: int) -> None:
    watch = TextWatch()
    for start in range(0, len(raw), step):
        watch.take(raw[start : start + step])
    assert watch.charset == charset


@pytest.mark.parametrize(
    ("extension", "head", "is_taken"),
    [
        ("ppt", OLE[:8] + bytes(504), False),
        ("webm", EBML + b"\x84webm", True),
        ("webm", EBML + b"\x01\x00\x00\x00\x00\x00\x00\x04webm", True),
        ("webm", EBML + b"\x88matroska", False),
        ("webm", EBML + b"\x88matroskaB\x87\x81\x04 by webmaster", False),
    ],
)
def test_a_file_is_of_the_kind_that_its_name_says(extension: str, head: bytes, is_taken: bool) -> None:
    try:
        refuse_other(KINDS[extension], head)
    except Refused:
        assert not is_taken
    else:
        assert is_taken
