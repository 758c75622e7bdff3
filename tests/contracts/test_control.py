"""The control socket: one line each way, for the owner of the directory alone, however deep it lies."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lms_rt.errors import Code, FieldError, Refused
from lms_rt.storage import control
from lms_rt.storage.control import SOCKET_NAME, ControlFault, NotRunning, Operation, call, serve_control
from lms_rt.storage.embedded import StoreError


async def _echo(**arguments: Any) -> dict[str, Any]:
    return arguments


async def _refuse() -> None:
    raise Refused(Code.CONFLICT, "Not so.", fields=[FieldError("a.b", "wrong", "bad")], stored={"n": 1})


async def _fail() -> None:
    raise ValueError("a slip")


async def _fill_the_disk() -> None:
    raise StoreError("not saved")


async def _wait_for_ever() -> None:
    await asyncio.Event().wait()


_OPERATIONS: dict[str, Operation] = {
    "echo": _echo,
    "refuse": _refuse,
    "fail": _fail,
    "fill": _fill_the_disk,
    "wait": _wait_for_ever,
}


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Deep enough that a socket's path would not fit into the 107 bytes that the kernel takes."""
    path = tmp_path.joinpath(*["deep" * 10] * 4)
    path.mkdir(parents=True)
    return path


@pytest.fixture
async def served(data_dir: Path) -> AsyncIterator[Path]:
    async with serve_control(data_dir, _OPERATIONS):
        yield data_dir


async def test_an_operation_gets_its_arguments_and_gives_its_result(served: Path) -> None:
    arguments: dict[str, Any] = {"text": "ب" * 100_000, "n": 2**60, "nested": [{"a": None}]}
    assert await call(served, "echo", **arguments) == arguments


async def test_many_may_ask_at_once(served: Path) -> None:
    answers = await asyncio.gather(*(call(served, "echo", n=n) for n in range(20)))
    assert [answer["n"] for answer in answers] == list(range(20))


async def test_a_refusal_arrives_as_the_refusal(served: Path) -> None:
    with pytest.raises(Refused) as caught:
        await call(served, "refuse")
    refused = caught.value
    assert (refused.code, refused.detail, refused.data) == (Code.CONFLICT, "Not so.", {"stored": {"n": 1}})
    assert refused.fields == (FieldError("a.b", "wrong", "bad"),)


async def test_a_store_that_cannot_save_is_unavailable(served: Path) -> None:
    with pytest.raises(Refused) as caught:
        await call(served, "fill")
    assert caught.value.code is Code.UNAVAILABLE


@pytest.mark.parametrize(
    ("operation", "words"), [("fail", "ValueError: a slip"), ("nothing_of_that_name", "knows no nothing_of_that_name")]
)
async def test_faults_are_told(served: Path, operation: str, words: str) -> None:
    with pytest.raises(ControlFault, match=words):
        await call(served, operation)


async def test_wrong_arguments_are_told(served: Path) -> None:
    with pytest.raises(ControlFault, match="unexpected keyword argument"):
        await call(served, "fail", n=1)


async def test_an_answer_that_does_not_come_is_not_waited_for(served: Path) -> None:
    with pytest.raises(ControlFault, match=r"did not answer wait within 0\.05 s"):
        await call(served, "wait", timeout_seconds=0.05)


@pytest.mark.parametrize("line", [b"no json\n", b"[]\n", b'{"op": "echo"}\n', b'{"op": ["echo"], "args": {}}\n'])
async def test_a_request_that_is_none_is_answered_so(served: Path, line: bytes) -> None:
    assert b"malformed_request" in await control._exchange(served, line)


async def test_a_line_that_never_ends_is_cut_off(served: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_MAX_LINE_BYTES", 1000)
    with pytest.raises(Refused) as caught:
        await call(served, "echo", text="x" * 2000)
    assert caught.value.code is Code.TOO_LARGE


async def test_only_the_owner_may_connect(served: Path) -> None:
    assert stat.S_IMODE((served / SOCKET_NAME).stat().st_mode) == 0o600


async def test_a_stale_socket_is_replaced_and_the_own_one_removed(data_dir: Path) -> None:
    _leave_a_socket(data_dir)
    with pytest.raises(NotRunning):
        await call(data_dir, "echo")
    async with serve_control(data_dir, _OPERATIONS):
        assert await call(data_dir, "echo") == {}
    assert os.listdir(data_dir) == []  # noqa: PTH208 - a test's own directory
    with pytest.raises(NotRunning, match="no server is running"):
        await call(data_dir, "echo")


def _leave_a_socket(data_dir: Path) -> None:
    here = Path.cwd()
    os.chdir(data_dir)
    try:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(SOCKET_NAME)
    finally:
        os.chdir(here)


async def test_something_else_in_its_place_is_left_alone(data_dir: Path) -> None:
    (data_dir / SOCKET_NAME).mkdir()
    with pytest.raises(FileExistsError):
        async with serve_control(data_dir, _OPERATIONS):
            pass


async def test_a_directory_that_is_not_there_has_no_server(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        await call(tmp_path / "nowhere", "echo")


async def test_the_end_of_the_server_ends_who_waits(data_dir: Path) -> None:
    started = asyncio.Event()

    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    async with serve_control(data_dir, {"wait": wait}):
        asking = asyncio.ensure_future(call(data_dir, "wait"))
        await started.wait()
    with pytest.raises(ControlFault, match="closed the control socket before it answered"):
        await asking
