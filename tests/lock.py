"""Make requirements.lock and requirements-test.lock from pyproject.toml, for every platform and Python 3.11 to 3.13.

Run by a maintainer after a change of dependencies: ``.venv/bin/python -m tests.lock``. It is not part of any test.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_UV = (
    "uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate"
    " --no-emit-index-url --no-emit-find-links --only-binary :all: --quiet"
)


def compiled(*options: str) -> str:
    """What the resolver prints: requirements with hashes, no address of any index."""
    command = [sys.executable, "-m", *_UV.split(), *options]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=600).stdout


def blocks(lock: str) -> dict[str, str]:
    """Name with version and marker -> its block of lines, hashes included."""
    found = re.findall(r"^(\S.*?) \\\n((?:    .*\n?)+)", lock, flags=re.MULTILINE)
    return {head: f"{head} \\\n{hashes.rstrip()}\n" for head, hashes in found}


def main() -> None:
    """Write both locks; the second holds only what the tests need on top of the first."""
    product = ROOT / "requirements.lock"
    product.write_text(compiled())
    both = blocks(compiled("--group", "test", "--constraint", str(product)))
    names = blocks(product.read_text())
    (ROOT / "requirements-test.lock").write_text("".join(text for head, text in both.items() if head not in names))


if __name__ == "__main__":
    main()
