"""The versions that the embedded store was tried with. It uses private names of these packages, so others are refused."""

from __future__ import annotations

from importlib.metadata import version

from lms_rt.storage.embedded.errors import StoreError

PINNED = {"mongomock": "4.3.0", "mongomock-motor": "0.0.36", "pymongo": "4.17"}


def require_pinned_versions() -> None:
    """Refuse to open a store on packages whose inner workings nobody has looked at."""
    found = {name: version(name) for name in PINNED}
    wrong = [f"{name} {found[name]} (wants {want})" for name, want in PINNED.items() if not _fits(found[name], want)]
    if wrong:
        raise StoreError(f"the embedded store does not know {', '.join(wrong)}; install requirements.lock")


def _fits(found: str, want: str) -> bool:
    return found == want or found.startswith(f"{want}.")
