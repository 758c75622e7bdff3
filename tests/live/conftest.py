"""What tests of the sockets share: strangers at a node and the crowd that it serves meanwhile; a course that is heard.

A module says which node: by a fixture `live`, or, where the whole product runs, by a fixture `port` of its own. The
school is the one whose networks may be hurt, unless a module has its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests import factories
from tests.clients import Visitor
from tests.live.hurt_school import HurtSchool, channel_of, hurt_school
from tests.live.node_school import Watcher, watching
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


@pytest.fixture(scope="module")
async def school(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HurtSchool]:
    """The whole product on servers whose networks may be hurt."""
    async with hurt_school(request, tmp_path_factory.mktemp("school")) as made:
        yield made


@pytest.fixture
async def teacher(school: HurtSchool) -> Visitor:
    """A new instructor, once the school has got over what was done to it before."""
    await school.is_ready(await school.house.visitor(), 200, "ok")
    return await school.house.teacher()


@pytest.fixture
async def course(teacher: Visitor) -> dict[str, Any]:
    """Their course."""
    return await factories.course(teacher)


@pytest.fixture
async def watcher(teacher: Visitor, course: dict[str, Any]) -> AsyncIterator[Watcher]:
    """The teacher's socket, with an ear on the course."""
    async with watching(teacher) as made:
        await made.ok("subscribe", channel=channel_of(course))
        yield made
