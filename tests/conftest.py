"""The lanes: what a test needs, a database or the whole product, on the embedded store and again on a real server.

No factories. What is made of many modules is imported when a test asks for it: others shall not wait for it.
"""

from __future__ import annotations

import base64
import gc
import importlib.util
import logging
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from config.settings import Settings
from lms_rt.storage.mongo import OpenDatabase, open_database
from tests import databases, secrets_used
from tests.rebinding import read_documents_once
from tests.servers.mongo_server import running_mongo
from tests.servers.redis_server import running_redis

if TYPE_CHECKING:
    from tests.house import House
    from tests.servers.s3_server import S3Server
    from tests.services.people import People
    from tests.services.school import School

_KEY = "0123456789abcdefghijklmnopqrstuv"  # of no use outside the tests
_SIGNING_KEY = base64.b64encode(_KEY.encode()).decode()
_ONE_PROCESS = Path(__file__).parent / "services"
"""Here nothing but this process writes into a test's database."""
_ENGINES = ("embedded", pytest.param("real", marks=pytest.mark.real))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="also run the long tests")


def pytest_configure(config: pytest.Config) -> None:
    # Here, since pytest puts the level back after each step of a test: lines are made, and read, from INFO on.
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # as the product has it: half of all lines would be its
    _settle_draws(is_drawn_anew=config.getoption("--soak") or os.environ.get("LMS_TEST_REQUIRE") != "all")
    secrets_used.note_all_that_are_made()
    databases.watch_writes()
    read_documents_once()
    # httpx looks along the whole path for it with each of its requests.
    if importlib.util.find_spec("sniffio") is None:
        sys.modules["sniffio"] = None  # type: ignore[assignment]


def _settle_draws(*, is_drawn_anew: bool) -> None:
    """No example is judged by how long it takes. CI judges what was changed: its draws are the same each time."""
    from hypothesis import HealthCheck
    from hypothesis import settings as profile

    known = profile.get_profile("default" if is_drawn_anew else "ci")
    profile.register_profile("tests", known, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    profile.load_profile("tests")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if config.getoption("dist") != "loadfile":
        return None
    from tests.scheduling import BrowserBeside

    return BrowserBeside(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    # Nothing that is collected goes before the end: to look through it again and again took a third of the time.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # Playwright keeps an event loop running in its thread from its first test to the end: nothing async may follow it
    # (the long files of them first, so that no process is left alone with one in the end)
    sizes = Counter(item.path for item in items if item.get_closest_marker("browser") is not None)
    items.sort(key=lambda item: (item.path in sizes, -sizes[item.path]))
    if not config.getoption("--soak"):
        for item in items:
            if item.get_closest_marker("soak"):
                item.add_marker(pytest.mark.skip(reason="long; runs under --soak"))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reasons = {str(report.longrepr[2]) for report in terminalreporter.stats.get("skipped", ())}
    missing = sorted(reason for reason in reasons if " is missing; to run this: " in reason)
    if missing:
        terminalreporter.section("not run on this machine")
        for reason in missing:
            terminalreporter.line(reason.removeprefix("Skipped: "))


@pytest.fixture(scope="session", autouse=True)
def no_secret_comes_to_light() -> Iterator[None]:
    """Nothing that is logged or printed during the whole run may hold a secret that was used in it."""
    with secrets_used.watching():
        secrets_used.note(_KEY)
        yield
    assert secrets_used.found == []


@pytest.fixture(scope="session")
def mongodb_url() -> Iterator[str]:
    """A MongoDB-speaking server: MONGODB_TEST_URL, or one of our own."""
    if url := os.environ.get("MONGODB_TEST_URL"):
        yield url
        return
    with running_mongo() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis server: REDIS_TEST_URL, or one of our own."""
    if url := os.environ.get("REDIS_TEST_URL"):
        yield url
        return
    with running_redis() as url:
        yield url


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """A server that speaks S3."""
    from tests.servers.s3_server import running_s3

    with running_s3() as server:
        yield server


@pytest.fixture(scope="session")
def azurite() -> Iterator[str]:
    """The connection string of a server that speaks Azure Blob Storage."""
    from tests.servers.azurite_server import running_azurite

    with running_azurite() as connection:
        yield connection


@pytest.fixture(params=_ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Where the data of this test lies: `embedded`, and again on a `real` server."""
    return str(request.param)


@pytest.fixture
def settings(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings for this test alone: an empty data directory, or an empty database of its own on the real server."""
    is_shared = engine == "real" and "database" in request.fixturenames and request.path.is_relative_to(_ONE_PROCESS)
    more = {"mongodb_database": databases.take_one()} if is_shared else {}
    return settings_on(engine, request, tmp_path, **more)


def settings_on(engine: str, request: pytest.FixtureRequest, path: Path, **more: Any) -> Settings:
    """Settings for one lane; nothing of this machine's environment files is read."""
    lane: dict[str, Any] = {"lms_data_dir": path / "data", "http_port": 0, "password_hash_cost": 4}
    keys: dict[str, Any] = {"secret_key": _KEY, "password_pepper": _KEY[::-1], "signing_key": _SIGNING_KEY}
    if engine == "real":
        lane |= {
            "mongodb_url": request.getfixturevalue("mongodb_url"),
            "redis_url": request.getfixturevalue("redis_url"),
            "mongodb_database": databases.new_name(),
        }
    return Settings(_env_file=None, **lane | keys | more)


@pytest.fixture
async def database(settings: Settings, request: pytest.FixtureRequest) -> AsyncIterator[OpenDatabase]:
    """The open database of this test, every document bound to it; gone afterwards, or empty."""
    async with open_database(settings) as opened:
        yield opened
        if opened.is_embedded:
            return
        if request.path.is_relative_to(_ONE_PROCESS):
            await databases.give_back(opened.motor)
        else:
            await opened.motor.client.drop_database(settings.mongodb_database)


@pytest.fixture
async def people(settings: Settings, database: OpenDatabase) -> AsyncIterator[People]:
    """One node's accounts and sessions."""
    from tests.services.people import open_people

    async with open_people(settings) as opened:
        yield opened


@pytest.fixture
async def school(database: OpenDatabase) -> AsyncIterator[School]:
    """The services of courses and learning."""
    from tests.services.school import open_school

    async with open_school() as opened:
        yield opened


@pytest.fixture(scope="module", params=_ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """The whole product on a real socket; one for a module and lane, since documents are bound to one database."""
    from tests.house import open_house

    async with open_house(settings_on(str(request.param), request, tmp_path_factory.mktemp("house"))) as opened:
        yield opened
