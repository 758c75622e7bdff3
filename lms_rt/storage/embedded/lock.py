"""The lock that keeps a second process out of a store, and names the first one. Unix only, as ``flock`` is."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from lms_rt.storage.embedded.errors import StoreError, StoreInUse


class FileLock:
    """``<path>.lock``, held from construction to :meth:`release`; the file holds the process id of its holder.

    The file is never unlinked: a process that still has the old one open would not meet one with a new file.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock at once, or say who holds it."""
        self._descriptor = _opened(path)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._descriptor)
            raise StoreInUse(path, holder) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Let the next process in."""
        os.close(self._descriptor)


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"cannot write to the data directory {path.parent}: {error.strerror}") from error
