"""What the first run on a machine must build or fetch, in a process beside the tests: `python -m tests.servers.beforehand`.

A test that comes first waits for it here, instead of building the same again.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def made_alone(place: Path) -> Iterator[None]:
    """One process at a time sees to `place`, which is made if it is not there; the system lets the next one in if we die."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Absences are told by the tests themselves."""
    from tests.servers.azurite_server import fetched_azurite
    from tests.servers.stripe_mock import built_mock

    for make in (fetched_azurite, built_mock):
        with contextlib.suppress(pytest.skip.Exception, pytest.fail.Exception):
            make()


if __name__ == "__main__":
    main()
