"""The sub-command `check-code`: format, lint, types and directions of imports, one after the other, all of them shown."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_BIN = Path(sys.executable).parent
_CHECKS = {
    "format": [str(_BIN / "ruff"), "format", "--check", "."],
    "lint": [str(_BIN / "ruff"), "check", "."],
    "types": [sys.executable, "-m", "mypy", "--num-workers", "2", "."],
    "imports": [str(_BIN / "lint-imports"), "--config", ".importlinter"],
}
_ALONE = {"types": [sys.executable, "-m", "mypy", "."]}
"""Instead, where the check broke off: mypy gives its workers three seconds to begin, and a busy machine may need more."""
_BROKEN_OFF = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the sub-command."""
    parser.add_argument("only", nargs="*", metavar="check", help=f"run only these of: {', '.join(_CHECKS)}")


def main(args: argparse.Namespace) -> int:
    """Run the checks; 1 when one of them fails, 2 when there is no such check."""
    if unknown := set(args.only) - _CHECKS.keys():
        sys.stderr.write(f"there is no check {', '.join(sorted(unknown))}; there are {', '.join(_CHECKS)}\n")
        return 2
    failed = [name for name in args.only or _CHECKS if not _passes(name)]
    sys.stdout.write(f"check-code: {', '.join(failed)} failed\n" if failed else "check-code: everything holds\n")
    return 1 if failed else 0


def _passes(name: str) -> bool:
    sys.stdout.write(f"--- {name}\n")
    sys.stdout.flush()
    status = subprocess.run(_CHECKS[name], cwd=_ROOT, check=False).returncode
    if status == _BROKEN_OFF and name in _ALONE:
        status = subprocess.run(_ALONE[name], cwd=_ROOT, check=False).returncode
    return status == 0
