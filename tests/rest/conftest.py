"""A small table of operations on a real socket, with services that are only as real as the conventions need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Annotated, Any, Literal

import httpx
import pytest
from pydantic import Field
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from config.settings import Settings
from documents.enums import Role
from handlers.app import make_app, server_options
from handlers.rest.access import ANONYMOUS, PUBLIC, SIGNED_IN, needs
from handlers.rest.calls import Call, Cookie, Reply
from handlers.rest.health import ROUTES as HEALTH_ROUTES
from handlers.rest.operations import FORM, UPLOAD, Operation
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import Clock, FakeClock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Change, Draft, Page, PageQuery, View, page_of, refuse_changed_read_only
from lms_rt.errors import Code, Refused
from lms_rt.ids import derived_id
from lms_rt.security.csrf import CsrfTokens
from lms_rt.security.keyring import Keyring
from lms_rt.security.rights import Reach
from lms_rt.services.health import Health
from lms_rt.services.idempotency import Idempotency
from lms_rt.wiring_accounts import guard_of

ACTORS = {
    "student": Actor("usr_student", Role.STUDENT, frozenset(), "fam_student", "Sara"),
    "teacher": Actor("usr_teacher", Role.INSTRUCTOR, frozenset({"things:manage"}), "fam_teacher", "Tariq"),
}
STUDENT = {"Authorization": "Bearer student"}
TEACHER = {"Authorization": "Bearer teacher"}
KEY = "0123456789abcdefghijklmnopqrstuv"


class ThingDraft(Draft):
    name: Annotated[str, Field(min_length=1, max_length=50)]
    count: int = 0
    tags: list[str] = Field(default_factory=list)
    any: Any = None


class ThingChange(Change):
    read_only = frozenset({"id", "version"})
    name: Annotated[str, Field(min_length=1, max_length=50)] = ""


class NoteDraft(Draft):
    note: str = ""


class GrantForm(Draft):
    username: str
    password: str


class ThingQuery(PageQuery):
    sort: Literal["name", "-name"] = "name"
    is_big: bool | None = None
    tag: list[str] = Field(default_factory=list)


class ThingView(View):
    id: str
    name: str
    version: int
    extra: str = ""


class EchoView(View):
    got: Any


@dataclass
class Things:
    """The domain of the table: counts what was done, can be held up, can break."""

    made: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    entered: asyncio.Event = field(default_factory=asyncio.Event)


async def list_things(call: Call) -> Reply:
    items = [ThingView(id=f"thg_{n}", name=f"{call.query.sort}{n}", version=1) for n in range(3)]
    return Reply(page_of(items[call.query.skip :][: call.query.page_size], call.query, 3))


async def create(call: Call) -> Reply:
    things: Things = call.services.things  # type: ignore[attr-defined]
    thing_id = derived_id("thg", call.idempotency_seed or str(len(things.made)))
    things.entered.set()
    if call.body.name == "wait":
        await things.gate.wait()
    if call.body.name == "refuse":
        raise Refused(Code.CONFLICT, stored={"name": "other"})
    things.made.append(thing_id)
    if call.body.name == "break":
        raise RuntimeError("secret-detail")
    return Reply(ThingView(id=thing_id, name=call.body.name, version=1), made={"thing_id": thing_id})


async def show(call: Call) -> Reply:
    return Reply(ThingView(id=call.path["thing_id"], name="n", version=7, extra="x" * 3000))


async def change(call: Call) -> Reply:
    if call.expected_version not in (None, 7):
        raise Refused(Code.VERSION_MISMATCH, current_version=7)
    view = ThingView(id=call.path["thing_id"], name="n", version=7)
    refuse_changed_read_only(call.body, view)
    return Reply(view.model_copy(update={"version": 8, **call.body.given()}))


async def remove(call: Call) -> Reply:
    return Reply(None)


async def echo(call: Call) -> Reply:
    got = call.body.model_dump() if call.body else None
    return Reply(EchoView(got=got))


async def upload(call: Call) -> Reply:
    assert call.upload is not None
    return Reply(EchoView(got=[call.upload.media_type, call.upload.filename, len(call.upload.content)]))


async def whoami(call: Call) -> Reply:
    return Reply(EchoView(got=[call.actor.user_id, call.address]))


async def tokens(call: Call) -> Reply:
    return Reply(EchoView(got="t" * 5000), cookies=(Cookie("lms_access", "v", 60),))


async def broken(call: Call) -> Reply:
    raise RuntimeError("secret-detail")


async def words(call: Call) -> Reply:
    return Reply(b"words", content_type="text/plain; charset=utf-8")


TABLE: tuple[Operation, ...] = (
    Operation("GET", "/things", list_things, PUBLIC, query=ThingQuery, reply=Page[ThingView], summary="Things"),
    Operation(
        "POST",
        "/things",
        create,
        needs("things:manage"),
        reach=Reach.ALL,
        also=("/boxes/{box_id}/things",),
        body=ThingDraft,
        reply=ThingView,
        status=201,
        location="/things/{thing_id}",
        is_idempotent=True,
        codes=(Code.CONFLICT,),
        summary="Make a thing",
    ),
    Operation("GET", "/things/{thing_id}", show, PUBLIC, reply=ThingView, summary="One thing"),
    Operation("GET", "/things/mine", whoami, SIGNED_IN, reach=Reach.ALL, reply=EchoView, summary="Mine"),
    Operation(
        ("PATCH", "PUT"),
        "/things/{thing_id}",
        change,
        SIGNED_IN,
        reach=Reach.ALL,
        body=ThingChange,
        reply=ThingView,
        summary="Change",
    ),
    Operation(
        "DELETE", "/things/{thing_id}", remove, needs("things:manage"), reach=Reach.ALL, status=204, summary="Remove"
    ),
    Operation("POST", "/echo", echo, ANONYMOUS, body=ThingDraft, reply=EchoView, summary="Echo"),
    Operation(
        "POST",
        "/note",
        echo,
        SIGNED_IN,
        reach=Reach.ALL,
        body=NoteDraft,
        reply=EchoView,
        summary="A note, all optional",
    ),
    Operation("POST", "/grant", echo, ANONYMOUS, body=GrantForm, takes=FORM, reply=EchoView, summary="A form"),
    Operation("POST", "/upload", upload, SIGNED_IN, reach=Reach.ALL, takes=UPLOAD, reply=EchoView, summary="A file"),
    Operation("GET", "/whoami", whoami, PUBLIC, reply=EchoView, summary="Who"),
    Operation("POST", "/tokens", tokens, ANONYMOUS, reply=EchoView, is_secret=True, summary="Secrets"),
    Operation("GET", "/broken", broken, ANONYMOUS, reply=EchoView, summary="Breaks"),
    Operation("GET", "/words", words, ANONYMOUS, reply=bytes, gives=("text/plain",), summary="Words"),
    *HEALTH_ROUTES,
)


class StubSessions:
    """Tokens are names."""

    csrf = CsrfTokens(Keyring(KEY))

    async def authenticate(self, token: str, *, also_leaving: bool = False) -> Actor:  # noqa: ARG002
        if token == "expired":
            raise Refused(Code.TOKEN_EXPIRED)
        if token not in ACTORS:
            raise Refused(Code.INVALID_TOKEN)
        return ACTORS[token]


async def _answers() -> None:
    """A probe of something that is there."""


@dataclass
class Table:
    """The running table."""

    client: httpx.AsyncClient
    services: Any
    things: Things
    clock: FakeClock
    port: int


def table_settings(**more: Any) -> Settings:
    return Settings(_env_file=None, secret_key=KEY, password_pepper=KEY[::-1], **more)


def table_services(settings: Settings, clock: Clock) -> Any:
    health = Health(clock=clock, node="node-1", version="0.1.0", database=_answers)
    health.open()
    guard = guard_of(settings, memory_bus(clock))
    return SimpleNamespace(
        settings=settings,
        clock=clock,
        sessions=StubSessions(),
        things=Things(),
        idempotency=Idempotency(clock=clock),
        health=health,
        limiter=guard.limiter,
        device_marks=guard.marks,
    )


@asynccontextmanager
async def serving(operations: tuple[Operation, ...] = TABLE, **settings: Any) -> AsyncIterator[Table]:
    """Serve a table on a free port until the block ends."""
    clock = FakeClock()
    services = table_services(table_settings(**settings), clock)
    server = HTTPServer(make_app(services, operations=operations, pages=(), live=()), **server_options())
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    port = sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield Table(client, services, services.things, clock, port)
    server.stop()
    await server.close_all_connections()


Serve = Callable[..., Awaitable[Table]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serve the table with settings of the test's own."""
    async with AsyncExitStack() as stack:

        async def start(operations: tuple[Operation, ...] = TABLE, **settings: Any) -> Table:
            return await stack.enter_async_context(serving(operations, **settings))

        yield start


@pytest.fixture(scope="module")
async def table() -> AsyncIterator[Table]:
    """The table with default settings, shared by a module's tests."""
    async with serving() as running:
        yield running


@pytest.fixture
def client(table: Table) -> httpx.AsyncClient:
    """Speaks to the table."""
    return table.client
