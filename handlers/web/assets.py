"""The static files of the pages: read once, compressed once, served for ever under /static/<release>/. Not for uploads.

The release is a hash over all of them, so that a new one gives new addresses and relative imports stay within it.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tornado.web import HTTPError, RequestHandler

STATIC = Path(__file__).parent / "static"
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".ts": "text/plain",
}
_IMPORT = re.compile(r"""^(?:import|export) [^"']*["']\./([\w-]+\.js)["'];?$""", re.MULTILINE)
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, plain and (where that helps) compressed."""

    content: bytes
    compressed: bytes | None
    media_type: str


@dataclass(frozen=True, slots=True)
class Assets:
    """All static files of one release."""

    release: str
    files: dict[str, Asset]

    def path(self, name: str) -> str:
        """Where a file is found; one that is not there is a fault of ours and raises KeyError."""
        if name not in self.files:
            raise KeyError(name)
        return f"/static/{self.release}/{name}"

    def imports_of(self, scripts: tuple[str, ...]) -> tuple[str, ...]:
        """The modules that these scripts import, and those that they import: a page asks for all of them at once."""
        found: dict[str, None] = {}
        waiting = list(scripts)
        while waiting:
            text = self.files[waiting.pop()].content.decode()
            names = [name for name in _IMPORT.findall(text) if name not in found and name not in scripts]
            found.update(dict.fromkeys(names))
            waiting.extend(names)
        return tuple(found)


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    media_type = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_text = path.suffix in _TYPES
    compressed = gzip.compress(content, 9, mtime=0) if is_text and len(content) > 1000 else None
    return Asset(content, compressed, f"{media_type}; charset=utf-8" if is_text else media_type)


def load_assets(folder: Path) -> Assets:
    """Read a folder of static files and name its release."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): _asset(path) for path in paths}
    digest = hashlib.sha256()
    for name, asset in files.items():
        digest.update(name.encode() + b"\0" + hashlib.sha256(asset.content).digest())
    return Assets(release=digest.hexdigest()[:12], files=files)


@cache
def assets() -> Assets:
    """The static files of this process."""
    return load_assets(STATIC)


class StaticHandler(RequestHandler):
    """GET /static/<release>/<name>. An older release gets today's file, but must not keep it."""

    def get(self, release: str, name: str) -> None:
        """Send the file, compressed where the browser takes that."""
        asset = assets().files.get(name)
        if asset is None:
            raise HTTPError(404)
        is_current = release == assets().release
        self.set_header("Content-Type", asset.media_type)
        self.set_header("Cache-Control", _FOR_EVER if is_current else "no-cache")
        self.set_header("Vary", "Accept-Encoding")
        if asset.compressed is not None and "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.finish(asset.compressed)
        else:
            self.finish(asset.content)

    def head(self, release: str, name: str) -> None:
        """As GET, without the body."""
        self.get(release, name)

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ARG002  (Tornado's signature)
        """A missing file is a line of text: no page is shown in its place."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{status_code}\n")
