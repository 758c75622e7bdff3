"""A multipart form as it comes: its fields are kept (there are few, and they are short), its one file is passed on in pieces.

For operations that are streamed; small forms are parsed by Tornado, whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from handlers.rest.incoming import Incoming
from handlers.rest.operations import MAX_FORM_BYTES
from handlers.rest.texts import model_of_texts, text_of
from lms_rt.contracts.uploads import UploadFields
from lms_rt.errors import Code, Refused, invalid

MAX_FIELDS = 10
MAX_FIELD_BYTES = 4096
_FILE = "file"


class StreamedForm:
    """Reads on only as far as it is asked to."""

    def __init__(self, incoming: Incoming, content_type: str) -> None:
        self._incoming = incoming
        self._pieces = _Pieces()
        self._parser = MultipartParser(
            _boundary(content_type),
            {
                "on_part_begin": self._pieces.part_begins,
                "on_part_data": self._pieces.part_goes_on,
                "on_part_end": self._pieces.part_ends,
                "on_header_field": self._pieces.header_name,
                "on_header_value": self._pieces.header_value,
                "on_header_end": self._pieces.header_ends,
                "on_headers_finished": self._pieces.headers_end,
                "on_end": self._pieces.form_ends,
            },
        )

    async def file(self) -> str:
        """Read up to the file; what it is called."""
        while self._pieces.filename is None and await self._read():
            pass
        if self._pieces.filename is None:
            raise invalid(_FILE, "Send the file in the form's field `file`.", "required")
        return self._pieces.filename

    async def chunks(self) -> AsyncIterator[bytes]:
        """The file, piece by piece."""
        pieces = self._pieces
        while True:
            while pieces.of_file:
                yield pieces.of_file.popleft()
            if pieces.is_file_whole or not await self._read():
                return

    def fields_before(self) -> UploadFields:
        """What was said before the file."""
        return read_fields(self._pieces.fields)

    async def fields(self) -> UploadFields:
        """Read to the end; all that was said."""
        while await self._read():
            pass
        return read_fields(self._pieces.fields)

    async def _read(self) -> bool:
        """One piece of the body more; False when the form is at its end. A form without an end is refused."""
        try:
            piece = await anext(self._incoming)
        except StopAsyncIteration:
            if not self._pieces.is_over:
                raise _broken() from None
            return False
        if self._pieces.is_over:  # what follows the end of a form is none of it (RFC 2046)
            return True
        try:
            self._parser.write(piece)
        except FormParserError:
            raise _broken() from None
        return True


class _Pieces:
    """What the parser tells of, taken down."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self.of_file: deque[bytes] = deque()
        self.is_file_whole, self.is_over = False, False
        self._parts, self._size = 0, 0
        self._headers: dict[bytes, bytes] = {}
        self._header, self._value = b"", b""
        self._name, self._text, self._is_file = "", b"", False

    def part_begins(self) -> None:
        self._parts += 1
        if self._parts > MAX_FIELDS:
            raise invalid(_FILE, f"The form has more than {MAX_FIELDS} fields.", "too_many")
        self._headers, self._text, self._is_file = {}, b"", False

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_ends(self) -> None:
        self._weigh(len(self._header) + len(self._value))
        self._headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def headers_end(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b"").decode("latin-1"))
        encoding = self._headers.get(b"content-transfer-encoding", b"binary").strip().lower()
        if kind != b"form-data" or b"name" not in options or encoding not in {b"binary", b"8bit", b"7bit"}:
            raise _broken()
        self._name = _text(options[b"name"])
        if self._name in self.fields or (self._name == _FILE and self.filename is not None):
            raise invalid(self._name, "This field is sent twice.", "duplicate")
        if self._name == _FILE:
            if b"filename" not in options:
                raise invalid(_FILE, "Send the file with its name.", "required")
            self._is_file, self.filename = True, _text(options[b"filename"])
        elif self._name not in UploadFields.model_fields:
            raise invalid(self._name, "There is no such field.", "unknown_field")

    def part_goes_on(self, data: bytes, start: int, end: int) -> None:
        if self._is_file:
            self.of_file.append(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > MAX_FIELD_BYTES:
            raise invalid(self._name, f"Use {MAX_FIELD_BYTES} bytes at most.", "too_long")

    def part_ends(self) -> None:
        if self._is_file:
            self.is_file_whole = True
            return
        self._weigh(len(self._text))
        self.fields[self._name] = _text(self._text)

    def form_ends(self) -> None:
        self.is_over = True

    def _weigh(self, size: int) -> None:
        self._size += size
        if self._size > MAX_FORM_BYTES:
            raise Refused(Code.TOO_LARGE, "There is too much in the form beside its file.", limit_bytes=MAX_FORM_BYTES)


def is_form(content_type: str) -> bool:
    """Is that what a form with a file is sent as?"""
    return content_type.partition(";")[0].strip().lower() == "multipart/form-data"


def _boundary(content_type: str) -> bytes:
    if not is_form(content_type):
        raise Refused(Code.UNSUPPORTED_MEDIA_TYPE, "Send multipart/form-data.", taken=["multipart/form-data"])
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # RFC 2046
        raise Refused(Code.MALFORMED_REQUEST, "The form names no boundary.")
    return boundary


def read_fields(fields: dict[str, str]) -> UploadFields:
    """The fields of an upload from texts; one that was left empty was not filled in. 422 naming every fault."""
    given: dict[str, Any] = {name: text for name, text in fields.items() if text}
    return model_of_texts(UploadFields, given)


def _text(value: bytes) -> str:
    return text_of(value, "The form is not in UTF-8.")


def _broken() -> Refused:
    return Refused(Code.MALFORMED_REQUEST, "The form is broken, or not whole.")
