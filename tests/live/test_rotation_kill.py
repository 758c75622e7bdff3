"""A node dies between rotating a session and saying so: the client asks again, and goes on. On both lanes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from config.settings import Settings
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import PASSWORD
from tests.servers.nodes import LmsNode


@contextmanager
def beside(settings: Settings, folder: Path) -> Iterator[LmsNode | None]:
    """Another node, which the embedded store does not have. It runs already: the moment of grace would not wait for it."""
    if settings.is_embedded:
        yield None
        return
    with LmsNode(settings, {}, log=folder / "beside.log") as other:
        yield other


@contextmanager
def after_the_death(settings: Settings, dying: LmsNode, other: LmsNode | None, folder: Path) -> Iterator[LmsNode]:
    """Who answers instead: the other node; on the embedded store the same data again.

    There its clock is set back, so that the moment of grace is not over, however long this machine takes to start it.
    """
    dying.kill()
    if other is not None:
        yield other
        return
    with LmsNode(settings, {"clock_skew_ms": -60_000}, log=folder / "after.log") as after:
        yield after


async def test_a_lost_reply_loses_no_session(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    settings = settings_on(engine, request, tmp_path)
    node = LmsNode(settings, {"dies_at_rotation": True}, log=tmp_path / "dying.log")
    with node as dying, beside(settings, tmp_path) as other:
        async with Visitor.of(dying.address) as mona:
            await mona.register("mona@example.org", PASSWORD, "Mona Farouk")
            kept = mona.tokens["refresh_token"]
            with pytest.raises(httpx.TransportError):
                await mona.call("POST", "/auth/refresh", json={"refresh_token": kept})
        with after_the_death(settings, dying, other, tmp_path) as after:
            async with Visitor.of(after.address) as mona:
                mona.take(await mona.ok("POST", "/auth/refresh", json={"refresh_token": kept}))
                assert mona.tokens["refresh_token"] != kept
                mona.take(await mona.ok("POST", "/auth/refresh", json={"refresh_token": mona.tokens["refresh_token"]}))
                assert (await mona.ok("GET", "/auth/me"))["email"] == "mona@example.org"
