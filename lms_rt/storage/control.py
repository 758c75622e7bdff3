"""The control socket of a running embedded server: commands of the same machine and user, one JSON line each way.

The lock keeps other processes out of the store, so what they want done is asked for here. Only the owner of the data
directory can connect (mode 0600); there is no other sign-in.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import orjson

from lms_rt.contracts.base import encode
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.storage.faults import translated

Operation = Callable[..., Awaitable[Any]]
"""Takes the request's arguments by keyword, returns what `contracts.base.encode` can encode."""

SOCKET_NAME = "control.sock"
_MAX_LINE_BYTES = 32 * 1024 * 1024  # a question file travels in one line
_READ_SECONDS = 10.0
_CONNECT_SECONDS = 5.0
_CODES = {code.code: code for code in Code}


class NotRunning(Exception):
    """No server listens for this data directory."""


class ControlFault(Exception):
    """The server took the request and failed at it; the words are its own."""


@asynccontextmanager
async def serve_control(data_dir: Path, operations: Mapping[str, Operation]) -> AsyncIterator[None]:
    """Answer on `<data>/control.sock` while the body runs. The store's lock must be held: a stale socket is replaced."""
    listener = _bound(data_dir)
    running: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            running.add(task)
            task.add_done_callback(running.discard)
        await _answer(operations, reader, writer)

    server = await asyncio.start_unix_server(answer, sock=listener, limit=_MAX_LINE_BYTES)
    try:
        yield
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        with contextlib.suppress(FileNotFoundError):
            (data_dir / SOCKET_NAME).unlink()


async def call(data_dir: Path, operation: str, *, timeout_seconds: float = 60.0, **arguments: Any) -> Any:
    """Ask the running server. Raises `NotRunning`, the `Refused` that it answered, or `ControlFault`."""
    line = encode({"op": operation, "args": arguments}) + b"\n"
    if len(line) > _MAX_LINE_BYTES:
        raise Refused(Code.TOO_LARGE)
    try:
        async with asyncio.timeout(timeout_seconds):
            reply = await _exchange(data_dir, line)
    except TimeoutError:
        raise ControlFault(f"the server did not answer {operation} within {timeout_seconds:g} s") from None
    if not reply:
        raise ControlFault(f"the server closed the control socket before it answered {operation}")
    return _result(orjson.loads(reply))


async def _exchange(data_dir: Path, line: bytes) -> bytes:
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            with _short_path(data_dir) as path:
                reader, writer = await asyncio.open_unix_connection(path, limit=_MAX_LINE_BYTES)
    except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
        raise NotRunning(f"no server is running on {data_dir}") from None
    except PermissionError as error:
        raise ControlFault(f"{data_dir / SOCKET_NAME} belongs to another user: {error.strerror}") from None
    try:
        writer.write(line)
        await writer.drain()
        return await reader.readline()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def _result(reply: dict[str, Any]) -> Any:
    if "result" in reply:
        return reply["result"]
    error = reply["error"]
    if (code := _CODES.get(error["code"])) is None:
        raise ControlFault(error["detail"])
    raise Refused(code, error["detail"], fields=[FieldError(**field) for field in error["fields"]], **error["data"])


async def _answer(
    operations: Mapping[str, Operation], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One request, one reply, and the end."""
    try:
        async with asyncio.timeout(_READ_SECONDS):
            line = await reader.readline()
        if line:
            writer.write(await _reply(operations, line) + b"\n")
            async with asyncio.timeout(_READ_SECONDS):
                await writer.drain()
    except (TimeoutError, ValueError, ConnectionError):
        return  # who sends nothing, too much, or leaves, is not answered
    finally:
        writer.close()


async def _reply(operations: Mapping[str, Operation], line: bytes) -> bytes:
    try:
        request = orjson.loads(line)
        operation = operations.get(request["op"])
        arguments = dict(request["args"])
    except (ValueError, TypeError, KeyError):
        return _error("malformed_request", "a request is one line: {op, args}")
    if operation is None:
        return _error("unknown_operation", f"this server knows no {request['op']}")
    try:
        return encode({"result": await operation(**arguments)})
    except Exception as error:  # noqa: BLE001 - the border: what failed is told to who asked
        if (refused := error if isinstance(error, Refused) else translated(error)) is None:
            return _error("fault", f"{type(error).__name__}: {error}")
        return _error(refused.code.code, refused.detail, refused)


def _error(code: str, detail: str, refused: Refused | None = None) -> bytes:
    fields = [_plain(field) for field in refused.fields] if refused else []
    return encode(
        {"error": {"code": code, "detail": detail, "fields": fields, "data": refused.data if refused else {}}}
    )


def _plain(field: FieldError) -> dict[str, str]:
    return {"field": field.field, "message": field.message, "code": field.code}


def _bound(data_dir: Path) -> socket.socket:
    """The listening socket, readable by nobody else from its first moment."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        with _short_path(data_dir) as path:
            _remove_stale(data_dir / SOCKET_NAME)
            listener.bind(path)
    except BaseException:
        listener.close()
        raise
    finally:
        os.umask(mask)
    return listener


def _remove_stale(path: Path) -> None:
    """The lock is held, so a socket that lies there belongs to nobody."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "there is something else in the place of the control socket", str(path))
    path.unlink()


@contextmanager
def _short_path(data_dir: Path) -> Iterator[str]:
    """A path to the socket of at most 107 bytes, however deep the directory lies."""
    directory = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        through = f"/proc/self/fd/{directory}"
        yield f"{through if Path(through).exists() else os.path.relpath(data_dir)}/{SOCKET_NAME}"
    finally:
        os.close(directory)
