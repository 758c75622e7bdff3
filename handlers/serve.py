"""`python3 run.py` or `run.py serve`: the school in one process, from the first check to the gentle end. No rules."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import gc
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tornado.netutil import bind_sockets

from config.logging import set_up_logging
from config.settings import Settings, SettingsError, load_settings
from config.settings_checks import retired_settings
from handlers.app import make_app, server_options
from handlers.door import BACKLOG, Door, raise_descriptor_limit
from handlers.rest.streaming import drained
from lms_rt.bootstrap import Services, StoreError, open_services
from lms_rt.console.create_admin import create_admin
from lms_rt.console.demo_school import open_demo_school
from lms_rt.console.import_questions import import_questions
from lms_rt.console.reseal import reseal
from lms_rt.console.school_keys import receipt_keys
from lms_rt.console.verify_audit import verify_audit
from lms_rt.gateways.error_reports import close_error_reports, open_error_reports
from lms_rt.gateways.vault import read_secrets
from lms_rt.services.demo import DEMO_PASSWORD
from lms_rt.storage.control import serve_control

NODE_PATIENCE_SECONDS = 10
"""So long commands may take that run when the process is told to end …"""
PATIENCE_SECONDS = 10
"""… and then the last requests …"""
HANG_UP_SECONDS = 2
"""… and then the last bytes."""
_log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to listen, where the data is, and whether there is a demo school."""
    parser.add_argument("--host", help="address to listen on (HTTP_HOST, 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on, 0 for a free one (HTTP_PORT, 8000)")
    parser.add_argument("--data", metavar="DIR", help="data directory (LMS_DATA_DIR, .lms_data beside run.py)")
    demo = parser.add_mutually_exclusive_group()
    demo.add_argument("--demo", action="store_true", help="open the demo school on any address, with random passwords")
    demo.add_argument("--no-demo", action="store_true", help="start with an empty school")


def main(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C. Exit status 1, with one line, when it cannot start."""
    reports = None
    given = {"http_host": args.host, "http_port": args.port, "lms_data_dir": args.data and Path(args.data)}
    try:
        settings = load_settings(read_secrets, **{name: value for name, value in given.items() if value is not None})
        set_up_logging(settings)
        reports = open_error_reports(settings, "serve")
        for warning in retired_settings():
            _log.warning(warning)
        asyncio.run(_serve(settings, args))
    except SettingsError as error:
        print(*(f"settings: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)  # noqa: T201
    except (StoreError, _CannotListen, OSError) as error:
        print(f"lms_rt cannot start: {error}", file=sys.stderr)  # noqa: T201
    except KeyboardInterrupt:
        return 0
    else:
        return 0
    finally:
        close_error_reports(reports)
    return 1


class _CannotListen(Exception):
    """The address is taken or not ours."""


def _listen(settings: Settings) -> list[socket.socket]:
    try:
        return bind_sockets(settings.http_port, settings.http_host, backlog=BACKLOG)
    except OSError as error:
        where = f"{settings.http_host}:{settings.http_port}"
        hint = "; choose another with --port" if error.errno == errno.EADDRINUSE else ""
        raise _CannotListen(f"cannot listen on {where}: {error.strerror or error}{hint}") from None


async def _serve(settings: Settings, args: argparse.Namespace) -> None:
    raise_descriptor_limit()
    sockets = _listen(settings)
    try:
        stop = _stop_signal()
        async with args.open_beside(settings) as beside, open_services(settings, wake_ups=beside.wake_ups) as services:
            demo = await _demo(services, args)
            async with (
                beside.working(services),
                serving(services, sockets) as address,
                _controlled(services, address),
            ):
                _announce(services, address, demo)
                gc.collect()
                gc.freeze()  # what is alive now lives as long as the process: no collection looks at it again
                gc.set_threshold(10_000, 50, 1000)
                await stop.wait()
                _say("stopping: no new requests, clients are told to come back …")
    finally:
        for listener in sockets:
            listener.close()


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


@asynccontextmanager
async def serving(services: Services, sockets: list[socket.socket]) -> AsyncIterator[str]:
    """Answer on the sockets while the body runs; gives the address. Ends gently: clients are told before they are cut."""
    host, port = sockets[0].getsockname()[:2]
    app = make_app(services, registry=services.node.metrics.registry)
    server = Door(app, **server_options())
    server.add_sockets(sockets)
    services.health.open()
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        services.health.close()
        server.stop()
        # Whoever asks on an open connection is told that it ends with the answer.
        server.conn_params.no_keep_alive = True
        await services.node.shutdown(patience_seconds=NODE_PATIENCE_SECONDS)
        await app.lines.close(patience_seconds=HANG_UP_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                while app.requests_running:  # noqa: ASYNC110 - one of many ends it, nobody tells
                    await asyncio.sleep(0.02)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HANG_UP_SECONDS):
                await server.close_all_connections()
        await drained(patience_seconds=HANG_UP_SECONDS)


@asynccontextmanager
async def _controlled(services: Services, address: str) -> AsyncIterator[None]:
    """The embedded store belongs to this process: other commands of this machine ask here."""
    if not services.settings.is_embedded:
        yield
        return

    async def tell_address() -> dict[str, str]:
        return {"address": address}

    async def create(**arguments: Any) -> Any:
        return await create_admin(services, **arguments)

    async def import_file(**arguments: Any) -> Any:
        return await import_questions(services, **arguments)

    async def verify(**arguments: Any) -> Any:
        return await verify_audit(services, **arguments)

    async def keys() -> Any:
        return await receipt_keys(services)

    async def seal_anew() -> Any:
        return await reseal(services)

    operations = {
        "address": tell_address,
        "create_admin": create,
        "import_questions": import_file,
        "verify_audit": verify,
        "receipt_keys": keys,
        "reseal": seal_anew,
    }
    async with serve_control(services.settings.lms_data_dir, operations):
        yield


async def _demo(services: Services, args: argparse.Namespace) -> Mapping[str, str] | None:
    """The passwords of the demo school by address, when it is open."""
    settings = services.settings
    is_wanted = args.demo or (settings.is_embedded and is_loopback(settings.http_host) and not args.no_demo)
    if not is_wanted:
        return None
    return await open_demo_school(services, are_passwords_random=not is_loopback(settings.http_host))


def is_loopback(host: str) -> bool:
    """Can only this machine reach it?"""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _announce(services: Services, address: str, demo: Mapping[str, str] | None) -> None:
    """Where to look and who to sign in as."""
    settings = services.settings
    if settings.is_embedded:
        _say(
            f"Embedded store in {settings.lms_data_dir}: for trying, developing and teaching a small class.\n"
            "Set MONGODB_URL and REDIS_URL for more."
        )
    if demo is not None:
        _say(_demo_words(demo, is_known=is_loopback(settings.http_host)))
    _say(f"lms_rt ready on {address}")


def _demo_words(made: Mapping[str, str], *, is_known: bool) -> str:
    people = "admin@demo.school, teacher@demo.school, student1@demo.school … student30@demo.school"
    if is_known:
        return f"Demo school: {people}; password {DEMO_PASSWORD}"
    if not made:
        return f"Demo school: {people}; the passwords were shown when it was made."
    shown = dict.fromkeys(f"  {email}  {password}" for email, password in made.items())
    return "\n".join(["Demo school; these passwords are shown only now:", *shown])


def _say(words: str) -> None:
    """The command's own output; a school does not stop because nobody reads it any more."""
    with contextlib.suppress(BrokenPipeError):
        print(words, flush=True)  # noqa: T201
