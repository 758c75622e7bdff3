"""`python3 -m tests.generated_docs`: write every generated page."""

from __future__ import annotations

import sys

from tests.generated_docs import PAGES, PARTS, ROOT, wanted


def main() -> None:
    for path in (*PAGES, *PARTS):
        (ROOT / path).write_text(wanted(path), encoding="utf-8")
        sys.stdout.write(f"{path}\n")


main()
