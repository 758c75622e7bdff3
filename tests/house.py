"""The whole product on a real socket, for tests that speak to it as its users do. One per test module and lane."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tornado.netutil import bind_sockets

from config.settings import Settings
from handlers.serve import serving
from lms_rt.bootstrap import Services, open_services
from lms_rt.clock import Clock
from tests.clients import Visitor
from tests.working import HouseBell

PASSWORD = "correct horse battery staple"
_NUMBERS = itertools.count(1)


@dataclass
class House:
    """A running school. Everybody who is made here is new, so that no test depends on another's people."""

    services: Services
    address: str
    visitors: AsyncExitStack
    bell: HouseBell
    _admin: Visitor | None = field(default=None)

    async def visitor(self) -> Visitor:
        """Somebody who has not signed in."""
        return await self.visitors.enter_async_context(Visitor.of(self.address))

    async def person(self, role: str = "student", full_name: str = "") -> Visitor:
        """Somebody new who has registered, signed in by bearer token."""
        number = next(_NUMBERS)
        somebody = await self.visitor()
        await somebody.register(f"{role}{number}@example.org", PASSWORD, full_name or f"{role.title()} {number}", role)
        return somebody

    async def student(self, full_name: str = "") -> Visitor:
        """A new student."""
        return await self.person("student", full_name)

    async def teacher(self, full_name: str = "") -> Visitor:
        """A new instructor."""
        return await self.person("instructor", full_name)

    async def admin(self) -> Visitor:
        """The administrator of this school."""
        if self._admin is None:
            email = f"admin{next(_NUMBERS)}@example.org"
            await self.services.accounts.create_admin(email, PASSWORD, "Ada Admin")
            self._admin = await self.visitor()
            await self._admin.sign_in(email, PASSWORD)
        return self._admin


@asynccontextmanager
async def open_house(settings: Settings, *, clock: Clock | None = None) -> AsyncIterator[House]:
    """Serve a school with these settings, by this clock; its database is dropped afterwards where it is a server's."""
    opened = settings.model_copy(update={"allow_public_role_registration": True})
    async with AsyncExitStack() as stack:
        bell = HouseBell()
        services = await stack.enter_async_context(open_services(opened, clock=clock, wake_ups=bell))
        if not services.database.is_embedded:
            stack.push_async_callback(_drop, services, settings)
        sockets = bind_sockets(0, "127.0.0.1")
        for listener in sockets:
            stack.callback(listener.close)
        address = await stack.enter_async_context(serving(services, sockets))
        visitors = await stack.enter_async_context(AsyncExitStack())
        yield House(services, address, visitors, bell)


async def _drop(services: Services, settings: Settings) -> Any:
    return await services.database.motor.client.drop_database(settings.mongodb_database)
