"""`Call` and `Reply`: what an endpoint is given and what it gives back. No parsing and no Tornado writing here."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self

from handlers.rest.incoming import Incoming
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import View, encode
from lms_rt.errors import invalid

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

    from lms_rt.bootstrap import Services


_AT_ONCE = 25


@dataclass(frozen=True, slots=True)
class Upload:
    """A body that is not JSON: the field `file` of a multipart form, or the text itself. At most 5 MiB."""

    content: bytes
    media_type: str
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class Cookie:
    """A cookie to set; `max_age_seconds=0` takes it away, None lasts as long as the browser."""

    name: str
    value: str
    max_age_seconds: int | None = None
    path: str = "/"
    is_http_only: bool = True
    is_secure: bool = False
    same_site: Literal["Lax", "Strict", "None"] = "Lax"

    @property
    def expires(self) -> float | None:
        """The epoch's first second for one that is taken away: Tornado leaves `Max-Age=0` out."""
        return 1.0 if self.max_age_seconds == 0 else None

    def arguments(self) -> dict[str, Any]:
        """As Tornado's `set_cookie` takes it."""
        return {
            "name": self.name,
            "value": self.value,
            "path": self.path,
            "expires": self.expires,
            "max_age": self.max_age_seconds,
            "httponly": self.is_http_only,
            "secure": self.is_secure,
            "samesite": self.same_site,
        }


@dataclass(frozen=True, slots=True)
class Call:
    """One request, parsed, validated and authorised, on its way to one service method.

    `query` and `body` are instances of the operation's models (an empty body is `{}` where all fields are optional);
    `upload` stands instead of `body` for operations that take files, `incoming` for those whose bodies are streamed. `expected_version` comes from `If-Match`: None
    without it or for `*`, -1 for a tag that no version can have. `idempotency_seed` is set when an `Idempotency-Key`
    was sent: ids derived from it (`lms_rt.ids.derived_id(prefix, seed)`) let a retry meet its own work.
    """

    services: Services
    actor: Actor
    request: HTTPServerRequest
    path: Mapping[str, str] = field(default_factory=dict)
    query: Any = None
    body: Any = None
    upload: Upload | None = None
    incoming: Incoming | None = None
    expected_version: int | None = None
    idempotency_seed: str | None = None

    def named(self, name: str) -> str:
        """An id that an alias may carry in the path, the query or the body, looked for in this order."""
        for place in (self.path.get(name), getattr(self.query, name, None), getattr(self.body, name, None)):
            if place is not None:
                return str(place)
        raise invalid(name, "This is needed.", "missing")

    def agreed(self, name: str) -> str:
        """The same for an id that has one spelling: a body that names another than the path is refused."""
        said, sent = self.named(name), getattr(self.body, name, None)
        if sent not in (None, said):
            raise invalid(name, "The path names another.", "mismatch")
        return said

    @property
    def address(self) -> str:
        """The caller's address, behind trusted proxies the one that they saw."""
        return str(self.request.remote_ip)

    @property
    def user_agent(self) -> str:
        """What the caller's program says it is, at most 300 characters."""
        return self.request.headers.get("User-Agent", "")[:300]

    def find_cookie(self, name: str) -> str | None:
        """The value of a cookie that came along, if it did."""
        morsel = self.request.cookies.get(name)
        return morsel.value if morsel is not None else None

    def find_header(self, name: str) -> str | None:
        """The value of a header that came along, if it did."""
        return self.request.headers.get(name)


@dataclass(frozen=True, slots=True)
class Encoded:
    """A view that is JSON already: one that is so long that it is written beside the event loop."""

    content: bytes
    version: int | None = None

    @classmethod
    def of(cls, view: View, name: str) -> Self:
        """`view`, whose list `name` is long: written piece by piece, because others cannot run while a piece is made."""
        rows = getattr(view, name)
        pieces = [encode(rows[begin : begin + _AT_ONCE])[1:-1] for begin in range(0, len(rows), _AT_ONCE)]
        head = view.__pydantic_serializer__.to_json(view, exclude={name})[:-1]
        content = b"".join((head, b',"', name.encode(), b'":[', b",".join(pieces), b"]}"))
        return cls(content, getattr(view, "version", None))


@dataclass(frozen=True, slots=True)
class Reply:
    """What to answer. The body is a view (its `version` becomes the ETag) or one `Encoded`, plain JSON data, or bytes of another type.

    `status` defaults to the operation's; `made` says what was made, by the names in the braces of the operation's `location`.
    `stream` stands instead of `body` for what is too long to hold: it is written as it comes, uncompressed and of the type
    `content_type`.
    """

    body: Any = None
    status: int | None = None
    made: Mapping[str, str] | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[Cookie, ...] = ()
    stream: AsyncGenerator[bytes, None] | None = None
