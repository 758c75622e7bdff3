"""What tests of the sockets share: strangers at a node, and the crowd that it serves meanwhile.

A module says which node: by a fixture `live`, or, where the whole product runs, by a fixture `port` of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.live.raw_line import Crowd, RawLine, Stranger

if TYPE_CHECKING:
    from tests.live.live_node import LiveNode

HONEST = 100
"""So many listen while others misbehave."""


@pytest.fixture
def port(live: LiveNode) -> int:
    """Where the node of this module is knocked at."""
    return live.port


@pytest.fixture
def stranger(port: int) -> Iterator[Stranger]:
    """Somebody who may do whatever comes to mind; gone afterwards."""
    with Stranger(port) as made:
        yield made


@pytest.fixture
async def line(stranger: Stranger) -> RawLine:
    """A line of somebody who is signed in."""
    return await stranger.welcomed()


@pytest.fixture(scope="module")
async def crowd(live: LiveNode) -> AsyncIterator[Crowd]:
    """The honest ones."""
    async with Crowd.of(live, HONEST) as honest:
        yield honest
