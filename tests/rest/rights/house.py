"""The house in which rights are walked: one for a module and lane, whose webhooks may lead to this machine."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from tests.conftest import settings_on
from tests.house import House, open_house

ENGINES = ("embedded", pytest.param("real", marks=pytest.mark.real))
_WISHES: dict[str, Any] = {"webhook_allow_http": True, "webhook_allow_networks": ("127.0.0.0/8",)}


def rights_house(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AbstractAsyncContextManager[House]:
    """The whole product on a real socket, on the engine that the fixture is for."""
    return open_house(settings_on(str(request.param), request, tmp_path_factory.mktemp("house"), **_WISHES))
