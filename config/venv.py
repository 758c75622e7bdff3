"""The self-set-up: `.venv` beside run.py, made from the hashed locks, and the step into it. Standard library only."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

_STAMP = "lms_rt-locks.json"


def enter(root: Path, *, has_test_tools: bool) -> None:
    """Run on inside `root/.venv`, making it first when it is absent or was made from other locks.

    Replaces this process (same id, so that signals reach the server); returns when already inside.
    """
    home = root / ".venv"
    python = home / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    wanted = _digests(root, has_test_tools=has_test_tools)
    if not wanted.items() <= _made_from(home).items() or not python.exists():
        _make(root, home, python, wanted)
    if Path(sys.prefix).resolve() != home.resolve():
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - our own interpreter and arguments


def _digests(root: Path, *, has_test_tools: bool) -> dict[str, str]:
    names = ["requirements.lock", *(["requirements-test.lock"] if has_test_tools else [])]
    return {name: hashlib.sha256((root / name).read_bytes()).hexdigest() for name in names}


def _made_from(home: Path) -> dict[str, str]:
    try:
        stamp = json.loads((home / _STAMP).read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def _make(root: Path, home: Path, python: Path, wanted: dict[str, str]) -> None:
    """Make the environment; the stamp is written last, so that an interrupted set-up starts again."""
    print(f"Setting up {home.name} from {' and '.join(wanted)} (once; a minute or two) …", flush=True)  # noqa: T201
    made_from = _made_from(home)
    has_product = made_from.get("requirements.lock") == wanted["requirements.lock"] and python.exists()
    try:
        if not has_product:
            venv.create(home, with_pip=True, clear=True)
        (home / _STAMP).unlink(missing_ok=True)
        files = [part for name in wanted for part in ("-r", str(root / name))]
        options = ["--require-hashes", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input"]
        subprocess.run([str(python), "-m", "pip", "install", *options, *files], check=True)  # noqa: S603
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"lms_rt could not set up {home}: {error}")
    (home / _STAMP).write_text(json.dumps(wanted))
    print(f"{home.name} is ready.", flush=True)  # noqa: T201
