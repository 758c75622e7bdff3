"""A few bytes beside the store file that count its commits, so that a lost or cut log is noticed at the next start.

SQLite opens a file cut to 0 bytes as an empty one, and without its ``-wal`` as an older one, both without a word. Every
commit counts itself in the file first and here after: the file may be one ahead of the marker, never behind it. This is
not a checksum; what SQLite can find out by itself is left to its integrity check.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lms_rt.storage.embedded.errors import StoreDamaged

_DIGITS = 20
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Mark:
    """What the marker says: so many commits of that store, made since that start of the machine."""

    commits: int
    store_id: str
    boot_id: str

    @property
    def is_from_this_boot(self) -> bool:
        """Whether the machine has run without a stop since; unknown counts as yes, which refuses rather than forgives."""
        return not self.boot_id or self.boot_id == current_boot_id()


def current_boot_id() -> str:
    """The kernel's name for this start of the machine; empty where there is none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def find_mark(path: Path) -> Mark | None:
    """What the marker of the store at ``path`` says, or None when there is no marker."""
    try:
        commits, store_id, boot_id, *_ = marker_path(path).read_text().split("\n")
        return Mark(int(commits), store_id, boot_id)
    except FileNotFoundError:
        return None
    except ValueError as error:
        where = marker_path(path)
        raise StoreDamaged(f"{where} is not readable; remove it to take {path} as it is") from error


def marker_path(path: Path) -> Path:
    """Where the marker of the store at ``path`` lies."""
    return path.with_name(f"{path.name}.marker")


class Marker:
    """The open marker of a running store; :meth:`count` costs some 2 µs."""

    def __init__(self, path: Path, mark: Mark) -> None:
        """Write the whole marker, synced, under its final name only when it is complete."""
        final = marker_path(path)
        made = final.with_name(f"{final.name}.new")
        self._descriptor = os.open(made, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        text = f"{mark.commits:0{_DIGITS}d}\n{mark.store_id}\n{mark.boot_id}\n"
        os.pwrite(self._descriptor, text.encode(), 0)
        os.fsync(self._descriptor)
        made.replace(final)

    def count(self, commits: int) -> None:
        """Take down that the file holds this many commits."""
        os.pwrite(self._descriptor, b"%0*d" % (_DIGITS, commits), 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)
