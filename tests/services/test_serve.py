"""The server as a process on the embedded store: its ready line, its gentle end, and one line for whatever prevents it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

import run
from tests.servers.processes import ServerProcess

_RUN = str(Path(run.__file__))
_READY = "lms_rt ready on "
_SECONDS = 60


def _env(**more: str) -> dict[str, str]:
    """The environment of this machine, without what would change the settings; hashing as cheap as it gets."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"PASSWORD_HASH_COST": "4"} | more


def _words(data: Path, *more: str) -> list[str]:
    return [sys.executable, _RUN, "--port", "0", "--data", str(data), *more]


def _serving(data: Path, *more: str, is_forked: bool = True, **env: str) -> ServerProcess:
    """Where the start itself is looked at it is executed; the others have everything imported already."""
    return ServerProcess(_words(data, *more), env=_env(**env), is_forked=is_forked)


def _refused(folder: Path, *words: str, is_forked: bool = True, **env: str) -> list[str]:
    """The lines on standard error of a start that must not succeed."""
    log = folder / "refused.log"
    log.unlink(missing_ok=True)
    with ServerProcess([sys.executable, _RUN, *words], env=_env(**env), log=log, is_forked=is_forked) as process:
        assert process.lines_to_the_end(seconds=_SECONDS) == []
        assert process.wait(seconds=_SECONDS) == 1, log.read_text()
    return log.read_text().splitlines()


def _address(server: ServerProcess) -> str:
    return server.line_with(_READY).partition(_READY)[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_once_it_says_so_and_ends_gently(tmp_path: Path, number: signal.Signals) -> None:
    with _serving(tmp_path / "data", is_forked=number != signal.SIGTERM) as server:
        address = _address(server)
        assert httpx.get(f"{address}/ready", timeout=_SECONDS).json()["status"] == "ok"
        said = "\n".join(server.printed)
        assert "student1@demo.school" in said
        assert "password demo-school-1" in said
        os.kill(server.pid, number)
        server.line_with("stopping")
        assert server.wait() == 0
    assert not (tmp_path / "data" / "control.sock").exists()


def test_what_is_being_worked_on_is_finished_first(tmp_path: Path) -> None:
    slow = "14"  # about a second: far less than a server that ends waits for its last requests
    serving = _serving(tmp_path / "data", "--no-demo", PASSWORD_HASH_COST=slow)
    with serving as server, ThreadPoolExecutor() as asking:
        address = _address(server)
        reply = _seen_at_work(address, asking)
        os.kill(server.pid, signal.SIGTERM)
        assert reply.result().status_code == 201
        assert server.wait() == 0


def _seen_at_work(address: str, asking: ThreadPoolExecutor) -> Future[httpx.Response]:
    """A request that is being worked on. On a busy machine one may be answered before it is seen: then another."""
    for number in range(5):
        body = {"email": f"mona{number}@example.org", "password": "correct horse battery", "full_name": "Mona"}
        reply = asking.submit(
            httpx.post, f"{address}/api/v1/auth/register", json=body | {"role": "student"}, timeout=_SECONDS
        )
        while not reply.done():
            if "http_requests_in_flight 2.0" in httpx.get(f"{address}/metrics", timeout=_SECONDS).text:
                return reply
    raise AssertionError("none was seen at work")


def test_a_second_start_finds_the_school_as_it_was(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with _serving(data) as server:
        _address(server)
    with _serving(data) as server:
        address = _address(server)
        body = {"email": "student1@demo.school", "password": "demo-school-1"}
        assert httpx.post(f"{address}/api/v1/auth/login", json=body, timeout=_SECONDS).status_code == 200
        assert httpx.get(f"{address}/api/v1/courses", timeout=_SECONDS).json()["total"] > 0


def test_an_empty_school_is_empty(tmp_path: Path) -> None:
    with _serving(tmp_path / "data", "--no-demo") as server:
        address = _address(server)
        assert not [line for line in server.printed if "Demo school" in line]
        assert httpx.get(f"{address}/api/v1/courses", timeout=_SECONDS).json()["total"] == 0


def test_beyond_this_machine_the_demo_school_has_other_passwords(tmp_path: Path) -> None:
    with _serving(tmp_path / "data", "--host", "0.0.0.0", "--demo") as server:  # noqa: S104
        _address(server)
        said = "\n".join(server.printed)
        assert "shown only now" in said
        assert "demo-school-1" not in said


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with _serving(tmp_path / "data", "--no-demo") as server:
        port = _address(server).rpartition(":")[2]
        lines = _refused(tmp_path, "--port", port, "--data", str(tmp_path / "other"))
    assert lines == [
        f"lms_rt cannot start: cannot listen on 127.0.0.1:{port}: Address already in use; choose another with --port"
    ]
    assert not (tmp_path / "other").exists()


def test_a_taken_data_directory_names_the_process(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with _serving(data, "--no-demo") as server:
        _address(server)
        lines = _refused(tmp_path, "--port", "0", "--data", str(data))
    assert lines == [
        f"lms_rt cannot start: {data}/lms.db is in use by process {server.pid}; only one process may open it"
    ]


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    (line,) = _refused(tmp_path, "--port", "0", "--data", str(file / "data"))
    assert line == f"lms_rt cannot start: cannot write to the data directory {file}/data: Not a directory"


def test_a_damaged_store_is_set_aside_and_waits_for_a_decision(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with _serving(data, "--no-demo") as server:
        _address(server)
    store = data / "lms.db"
    damaged = store.read_bytes()[:100] + b"\xff" * 8192
    store.write_bytes(damaged)
    (first,) = _refused(tmp_path, "--port", "0", "--data", str(data))
    aside = min(data.glob("lms.db.damaged-*"), key=lambda path: len(path.name))  # its log and marker have longer names
    assert first.startswith(f"lms_rt cannot start: {store} is damaged (")
    assert first.endswith(f"; it was moved to {aside}")
    assert aside.read_bytes() == damaged
    (second,) = _refused(tmp_path, "--port", "0", "--data", str(data))
    assert f"was damaged and is now {aside}: restore a backup" in second


def test_every_fault_of_the_settings_is_named_at_once(tmp_path: Path) -> None:
    lines = _refused(tmp_path, is_forked=False, HTTP_PORT="none", MONGODB_MAX_POOL_SIZE="0")
    assert [line.split(":")[1].strip() for line in lines] == ["HTTP_PORT", "MONGODB_MAX_POOL_SIZE"]
    lines = _refused(tmp_path, ENVIRONMENT="production", DEBUG="true", CORS_ORIGINS="*", SECRET_KEY="changeme" * 5)
    assert len(lines) >= 6
    assert all(line.startswith("settings: ") for line in lines)


def test_a_database_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    keys: dict[str, Any] = {
        "SECRET_KEY": "0123456789abcdefghijklmnopqrstuv",
        "PASSWORD_PEPPER": "vutsrqponmlkjihgfedcba9876543210",
    }
    keys["SIGNING_KEY"] = "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY="
    url = "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=300"
    (line,) = _refused(tmp_path, "--port", "0", MONGODB_URL=url, REDIS_URL="redis://127.0.0.1:9", **keys)
    assert line.startswith("lms_rt cannot start: no answer from MongoDB at 127.0.0.1:9")


def test_commands_work_beside_the_running_server(tmp_path: Path) -> None:
    data = tmp_path / "data"
    file = tmp_path / "capitals.gift"
    file.write_text("::Capital:: The capital of Egypt? {=Cairo ~Giza}\n")
    common: dict[str, str] = {"LMS_PASSWORD": "a long enough staff password"}

    def command(*words: str) -> str:
        run_words = [sys.executable, _RUN, *words, "--data", str(data)]
        ended = subprocess.run(
            run_words, capture_output=True, text=True, env=_env(**common), timeout=_SECONDS, check=False
        )
        assert ended.returncode == 0, ended
        return ended.stdout

    with _serving(data) as server:
        address = _address(server)
        courses = httpx.get(f"{address}/api/v1/courses", timeout=_SECONDS).json()["items"]
        assert "is an administrator now" in command("create-admin", "head@school.org")
        said = command("import-questions", str(file), "--new", "Capitals", "--course", courses[0]["slug"])
        assert "1 imported, 0 degraded, 0 skipped" in said
        assert "documents" in command("backup", str(tmp_path / "backup"))
        body = {"email": "head@school.org", "password": common["LMS_PASSWORD"]}
        assert httpx.post(f"{address}/api/v1/auth/login", json=body, timeout=_SECONDS).json()["user"]["role"] == "admin"
