"""The self-set-up: `.venv` beside run.py, made from the hashed locks, and the step into it. Standard library only."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

_STAMP = "lms_rt-locks.json"
_OPTIONS = ("--require-hashes", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input")


def enter(root: Path, *, has_test_tools: bool) -> None:
    """Run on inside `root/.venv`, making it first when it is absent or was made from other locks.

    Replaces this process (same id, so that signals reach the server); returns when already inside.
    """
    home = root / ".venv"
    python = home / "bin" / "python"
    wanted = _digests(root, has_test_tools=has_test_tools)
    if not _is_made(home, python, wanted):
        with _alone(root):
            if not _is_made(home, python, wanted):  # another start may have made it while this one waited
                _make(root, home, python, wanted)
    if Path(sys.prefix).resolve() != home.resolve():
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - our own interpreter and arguments


def _digests(root: Path, *, has_test_tools: bool) -> dict[str, str]:
    names = ["requirements.lock", *(["requirements-test.lock"] if has_test_tools else [])]
    return {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in names}


def _is_made(home: Path, python: Path, wanted: dict[str, str]) -> bool:
    return wanted.items() <= _made_from(home).items() and python.exists()


def _made_from(home: Path) -> dict[str, str]:
    try:
        stamp = json.loads((home / _STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """One set-up at a time: two first starts must not build one environment together."""
    directory = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
    finally:
        os.close(directory)


def _make(root: Path, home: Path, python: Path, wanted: dict[str, str]) -> None:
    """Make the environment; the stamp is written last, so that an interrupted set-up starts again."""
    _say(f"Setting up {home.name} from {' and '.join(wanted)} (once; a minute or two) …")
    if importlib.util.find_spec("ensurepip") is None:
        sys.exit("lms_rt needs Python's venv with pip; on Debian and Ubuntu: sudo apt install python3-venv")
    made_from = _made_from(home)
    has_product = made_from.get("requirements.lock") == wanted["requirements.lock"] and python.exists()
    files = [part for name in wanted for part in ("-r", str(root / name))]
    try:
        if not has_product:
            venv.create(home, with_pip=True, clear=True)
        (home / _STAMP).unlink(missing_ok=True)
        pip = [str(python), "-m", "pip", "install", *_OPTIONS, *files]
        subprocess.run(pip, check=True, stdout=sys.stderr)  # noqa: S603
        (home / _STAMP).write_text(json.dumps(wanted))
    except subprocess.CalledProcessError:
        sys.exit(f"lms_rt could not set up {home}: the reason is above (is the package index reachable?)")
    except OSError as error:
        sys.exit(f"lms_rt could not set up {home}: {error}")
    _say(f"{home.name} is ready.")


def _say(words: str) -> None:
    """On standard error: the other one belongs to the command (`run.py openapi > file`)."""
    print(words, file=sys.stderr, flush=True)  # noqa: T201
