"""From the bytes of a file to its text: UTF-8, or UTF-16 with its mark. Anything else is refused in words that help."""

from __future__ import annotations

import codecs

from lms_rt.errors import invalid


def decode(data: bytes, *, field: str = "file") -> str:
    """The text of a file, its line ends made one kind. Refused: another encoding, NUL characters."""
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise invalid(
            field,
            f"Line {line} is not {'UTF-16' if encoding == 'utf-16' else 'UTF-8'} (byte 0x{data[error.start]:02X}). "
            "Save the file as UTF-8 and try again.",
            "encoding",
        ) from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise invalid(field, f"Line {line} holds a NUL character; this is not a text file.", "encoding")
    return text
