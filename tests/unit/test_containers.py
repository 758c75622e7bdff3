"""The container files say what is so: every variable is a setting, every port, path and command exists."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

import run
from config.settings import Settings, load_settings
from handlers import serve
from handlers.routes import ROUTES

ROOT = Path(run.__file__).parent
_STEP = re.compile(r"^([A-Z]+)\s+((?:.*\\\n)*.*)$", re.MULTILINE)
_OF_PYTHON = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}


def _steps() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile with their words, in order."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    return [(name, words.replace("\\\n", " ")) for name, words in _STEP.findall(text)]


def _step(name: str) -> str:
    """The only instruction of this name."""
    (words,) = (words for found, words in _steps() if found == name)
    return words


def _environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in _step("ENV").split())


def _compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return services


def _copied() -> set[str]:
    """What the image takes from the repository."""
    copies = [words.split()[:-1] for name, words in _steps() if name == "COPY" and not words.startswith("--from")]
    return {source for sources in copies for source in sources}


def test_the_image_holds_what_the_server_needs_and_all_of_it_exists() -> None:
    rooms = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()} - {"tests"}
    assert rooms | {"run.py", "requirements.lock"} <= _copied()
    assert all((ROOT / source).exists() for source in _copied())


def test_what_is_copied_is_sent_to_the_builder() -> None:
    ignored = [line for line in (ROOT / ".dockerignore").read_text().split() if not line.startswith("#")]
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert allowed == _copied()
    assert not [name for name in allowed for line in ignored if line not in {"*", f"!{name}"} and fnmatch(name, line)]


def test_every_variable_of_the_image_is_a_setting() -> None:
    assert {name.lower() for name in _environment().keys() - _OF_PYTHON} <= Settings.model_fields.keys()


def test_the_port_is_the_one_that_is_listened_on() -> None:
    port = str(Settings.model_fields["http_port"].default)
    assert _environment()["HTTP_PORT"] == _step("EXPOSE") == port
    assert [mapping.split(":")[-1] for mapping in _compose()["app"]["ports"]] == [port]


def test_the_image_runs_as_somebody_without_rights_and_writes_in_one_place() -> None:
    steps = _steps()
    user = _step("USER")
    assert user not in {"root", "0"}
    assert f"useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin {user}" in _step_of_last_stage(
        "RUN"
    )
    assert steps.index(("USER", user)) < [name for name, _ in steps].index("CMD")
    assert _step("VOLUME") == _environment()["LMS_DATA_DIR"]


def _step_of_last_stage(name: str) -> str:
    steps = _steps()
    begin = max(place for place, (found, _) in enumerate(steps) if found == "FROM")
    return next(words for found, words in steps[begin:] if found == name)


def test_both_stages_have_the_python_that_the_lock_is_for() -> None:
    images = [words.split()[0] for name, words in _steps() if name == "FROM"]
    assert images == ["python:3.11-slim"] * 2


def test_health_is_asked_where_it_is_answered() -> None:
    words = json.loads(_step("HEALTHCHECK").partition("CMD ")[2])
    asked = re.search(r"HTTP_PORT\"\]}(/\w+)", words[-1])
    assert asked
    assert asked.group(1) in {operation.path for operation in ROUTES if "GET" in operation.methods}
    compile(words[-1], "health check", "exec")


def _parsed(words: list[str]) -> None:
    """The command, as run.py would read it."""
    assert words[:2] == ["python", "run.py"]
    main_parser, by_name = run.parsers()
    assert words[2] == "serve"
    serve.add_arguments(by_name["serve"])
    main_parser.parse_args(words[2:])


def test_the_commands_are_those_of_run_py() -> None:
    _parsed(json.loads(_step("CMD")))
    _parsed(_compose()["app"]["command"])


def test_the_settings_of_compose_start_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {
        name: re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value) for name, value in _compose()["app"]["environment"].items()
    }
    assert {name.lower() for name in environment} <= Settings.model_fields.keys()
    for name, value in (_environment() | environment).items():
        monkeypatch.setenv(name, value)
    settings = load_settings(_env_file=None)
    assert not settings.is_embedded
    assert "localhost" in settings.own_hosts


def test_compose_knows_the_servers_that_it_names() -> None:
    services = _compose()
    environment = services["app"]["environment"]
    for name in ("MONGODB_URL", "REDIS_URL"):
        host = environment[name].split("//")[1].split(":")[0]
        assert host in services
        assert services["app"]["depends_on"][host] == {"condition": "service_healthy"}
        assert "healthcheck" in services[host]
    assert "noeviction" in services["redis"]["command"]
    replica_set = services["mongodb"]["command"][2]
    assert environment["MONGODB_URL"].endswith(f"replicaSet={replica_set}")
