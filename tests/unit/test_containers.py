"""The container files say what is so: every variable is a setting, every port, path and command exists."""

from __future__ import annotations

import importlib
import json
import re
from fnmatch import fnmatch
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml  # type: ignore[import-untyped]

import run
from config.settings import Settings, load_settings
from handlers import serve
from handlers.routes import ROUTES
from lms_rt.undoing import UNDO_SECONDS
from workers.lane import HAND_BACK_SECONDS
from workers.worker import PATIENCE_SECONDS

ROOT = Path(run.__file__).parent
_STEP = re.compile(r"^([A-Z]+)\s+((?:.*\\\n)*.*)$", re.MULTILINE)
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_OF_PYTHON = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "TMPDIR"}


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


def _file() -> dict[str, Any]:
    whole: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return whole


def _compose() -> dict[str, Any]:
    services: dict[str, Any] = _file()["services"]
    return services


def _ours() -> dict[str, Any]:
    """The services that are made from our image."""
    return {name: service for name, service in _compose().items() if service.get("build") == "."}


def _nodes() -> dict[str, Any]:
    """Those of them that serve."""
    return {name: service for name, service in _ours().items() if "serve" in service["command"]}


def _directives(name: str) -> list[str]:
    """What nginx is told by directives of this name."""
    text = re.sub(r"#.*", "", (ROOT / "config" / "nginx.conf").read_text())
    return [words.strip() for words in re.findall(rf"^\s*{name}\s([^;{{]*);", text, re.MULTILINE)]


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
    assert [node["expose"] for node in _nodes().values()] == [[port]] * 2
    assert [server.split()[0] for server in _directives("server")] == [f"{name}:{port}" for name in _nodes()]


def test_only_nginx_and_the_mails_are_reached_from_outside_and_only_from_this_machine() -> None:
    published = {name: service["ports"] for name, service in _compose().items() if "ports" in service}
    (page_of_mails,) = published.pop("mail")
    assert page_of_mails.startswith("127.0.0.1:")
    (mapping,) = published.pop("nginx")
    assert published == {}
    address, outside, inside = mapping.split(":")
    assert address == "127.0.0.1"
    assert _directives("listen") == [inside]
    for node in _nodes().values():
        assert _default(node["environment"]["PUBLIC_URL"]) == f"http://localhost:{outside}"


def _default(value: str) -> str:
    return re.sub(r"\$\{\w+:-(.*?)\}", r"\1", value)


def test_the_nodes_believe_nginx_and_nobody_else() -> None:
    nginx = _compose()["nginx"]["networks"]["front"]["ipv4_address"]
    (pool,) = _file()["networks"]["front"]["ipam"]["config"]
    addresses = [nginx, *(node["networks"]["front"]["ipv4_address"] for node in _nodes().values())]
    assert len(set(addresses)) == 3
    assert all(ip_address(address) in ip_network(pool["subnet"]) for address in addresses)
    assert {node["environment"]["TRUSTED_PROXIES"] for node in _nodes().values()} == {f"{nginx}/32"}


def test_what_is_mounted_exists() -> None:
    mounts = [mount.split(":") for service in _compose().values() for mount in service.get("volumes", ())]
    named = {source for source, *_ in mounts if not source.startswith(".")}
    assert named == set(_file()["volumes"])
    assert [source for source, *_ in mounts if source.startswith(".")] == ["./config/nginx.conf"]
    assert (ROOT / "config" / "nginx.conf").is_file()


def test_networks_are_declared_and_the_databases_are_shut_in() -> None:
    networks = _file()["networks"]
    for name, service in _compose().items():
        assert set(service["networks"]) <= set(networks)
        if name not in {"nginx", "mail", *_ours()}:
            assert service["networks"] == ["back"]
    assert networks["back"] == {"internal": True}


@pytest.mark.parametrize("name", ["nginx", "node1", "node2", "worker", "scheduler", "mail"])
def test_what_faces_the_world_may_little(name: str) -> None:
    service = _compose()[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]  # noqa: S108 - the container's own
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_what_is_gathered_of_files_lies_on_a_disk_and_not_in_memory() -> None:
    """Parts that wait for S3, images while they are drawn; and a ZIP that somebody reads slowly is gathered nowhere."""
    volume = next(words for name, words in _steps() if name == "VOLUME")
    assert f"TMPDIR={volume}" in next(words for name, words in reversed(_steps()) if name == "ENV").split()
    assert set(_directives("proxy_max_temp_file_size")) == {"0"}
    assert "\n        proxy_max_temp_file_size 0;" in (ROOT / "config" / "nginx.conf").read_text()


def test_nginx_writes_where_it_may() -> None:
    written = [*_directives("pid"), *(path for kind in _TEMPORARY for path in _directives(f"{kind}_temp_path"))]
    assert len(written) == 1 + len(_TEMPORARY)
    assert all(path.startswith("/tmp/") for path in written)  # noqa: S108
    assert {words.split()[0] for words in _directives("(?:access|error)_log")} == {"/dev/stdout", "/dev/stderr"}


def test_everybody_is_given_the_time_to_end_gently() -> None:
    (for_sockets,) = _directives("worker_shutdown_timeout")
    assert _seconds(_compose()["nginx"]["stop_grace_period"]) > _seconds(for_sockets)
    needed = serve.NODE_PATIENCE_SECONDS + serve.PATIENCE_SECONDS + serve.HANG_UP_SECONDS
    assert all(_seconds(node["stop_grace_period"]) > needed for node in _nodes().values())
    for_jobs = PATIENCE_SECONDS + HAND_BACK_SECONDS + UNDO_SECONDS
    assert all(_seconds(service["stop_grace_period"]) > for_jobs for service in _ours().values())


def _seconds(words: str) -> int:
    return int(words.removesuffix("s"))


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
    importlib.import_module(run.COMMANDS[words[2]][0]).add_arguments(by_name[words[2]])
    main_parser.parse_args(words[2:])


def test_the_commands_are_those_of_run_py() -> None:
    _parsed(json.loads(_step("CMD")))
    commands = [service["command"] for service in _ours().values()]
    assert sorted(command[2] for command in commands) == ["scheduler", "serve", "serve", "worker"]
    for command in commands:
        _parsed(command)
    assert sum("--demo" in command for command in commands) == 1  # one shows the passwords, once


def test_the_settings_of_compose_start_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = (service["environment"] for service in _ours().values())
    assert all(other == first for other in others)
    environment = {name: _default(value) for name, value in first.items()}
    assert {name.lower() for name in environment} <= Settings.model_fields.keys()
    for name, value in (_environment() | environment).items():
        monkeypatch.setenv(name, value)
    settings = load_settings(_env_file=None)
    assert not settings.is_embedded
    assert "localhost" in settings.own_hosts
    assert {"127.0.0.1"} <= settings.own_hosts  # nginx's own health check asks for it
    assert settings.smtp_host in _compose()


def test_compose_knows_the_servers_that_it_names() -> None:
    services = _compose()
    for node in _ours().values():
        for name in ("MONGODB_URL", "REDIS_URL"):
            hosts = [host.split(":")[0] for host in urlsplit(node["environment"][name]).netloc.split(",")]
            assert set(hosts) <= services.keys()
            assert node["depends_on"][hosts[0]] == {"condition": "service_healthy"}
            assert "healthcheck" in services[hosts[0]]
    assert "noeviction" in services["redis"]["command"]
    assert services["nginx"]["depends_on"] == {name: {"condition": "service_healthy"} for name in _nodes()}


def test_the_replica_set_is_the_one_that_the_nodes_ask_for() -> None:
    services = _compose()
    members = [name for name, service in services.items() if service.get("image", "").startswith("mongo:")]
    url = urlsplit(_nodes()["node1"]["environment"]["MONGODB_URL"])
    assert url.netloc.split(",") == [f"{name}:27017" for name in members]
    for name in members:
        command = services[name]["command"]
        assert parse_qs(url.query)["replicaSet"] == [command[command.index("--replSet") + 1]]
    made = services["mongodb1"]["healthcheck"]["test"][-1]
    assert re.findall(r'host: "([^"]+)"', made) == url.netloc.split(",")
    assert f'_id: "{parse_qs(url.query)["replicaSet"][0]}"' in made
    assert set(services["mongodb1"]["depends_on"]) == set(members) - {"mongodb1"}
