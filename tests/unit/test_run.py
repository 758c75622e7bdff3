"""run.py and its self-set-up: what it says to an old Python, when it makes an environment, and how commands end."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

import run
from config import venv as set_up
from lms_rt.console.store import password_of, run_command
from lms_rt.errors import Code, Refused
from lms_rt.storage.control import NotRunning
from lms_rt.storage.embedded import StoreError

ROOT = Path(run.__file__).parent


class Entered(Exception):
    """In the place of `os.execv`, which does not return."""


class Installer:
    """What the set-up would do to a machine, noted instead of done."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.home = root, root / ".venv"
        self.made = 0
        self.installed: list[list[str]] = []
        self.is_index_there = True
        monkeypatch.setattr(venv, "create", self._create)
        monkeypatch.setattr(subprocess, "run", self._run)
        monkeypatch.setattr(os, "execv", self._execv)

    def _create(self, home: Path, *, with_pip: bool, clear: bool) -> None:
        assert with_pip
        assert clear
        self.made += 1
        (home / "bin").mkdir(parents=True, exist_ok=True)
        (home / "bin" / "python").touch()

    def _run(self, words: list[str], *, check: bool, stdout: object) -> None:
        assert check
        assert stdout is sys.stderr
        if not self.is_index_there:
            raise subprocess.CalledProcessError(1, words)
        self.installed.append([Path(word).name for word in words if word.endswith(".lock")])

    def _execv(self, python: Path, words: list[str]) -> None:
        assert Path(python) == self.home / "bin" / "python"
        assert words == [str(python), *sys.argv]
        raise Entered

    def start(self, *, has_test_tools: bool = False) -> None:
        """Start as run.py does; it must end up inside the environment."""
        with pytest.raises(Entered):
            set_up.enter(self.root, has_test_tools=has_test_tools)


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:
    for name in ("requirements.lock", "requirements-test.lock"):
        (tmp_path / name).write_text(f"{name} 1")
    return Installer(tmp_path, monkeypatch)


def test_the_environment_is_made_once(installer: Installer) -> None:
    installer.start()
    installer.start()
    assert installer.made == 1
    assert installer.installed == [["requirements.lock"]]


def test_what_the_set_up_says_does_not_mix_with_the_command(
    installer: Installer, capsys: pytest.CaptureFixture[str]
) -> None:
    installer.start()
    told = capsys.readouterr()
    assert told.out == ""
    assert "Setting up .venv from requirements.lock" in told.err


def test_test_tools_are_added_to_the_environment_that_is_there(installer: Installer) -> None:
    installer.start()
    installer.start(has_test_tools=True)
    installer.start()
    assert installer.made == 1
    assert installer.installed == [["requirements.lock"], ["requirements.lock", "requirements-test.lock"]]


def test_another_lock_makes_another_environment(installer: Installer) -> None:
    installer.start()
    (installer.root / "requirements.lock").write_text("another")
    installer.start()
    assert installer.made == 2


def test_an_environment_without_its_python_is_made_again(installer: Installer) -> None:
    installer.start()
    (installer.home / "bin" / "python").unlink()
    installer.start()
    assert installer.made == 2


def test_a_set_up_that_failed_is_told_in_one_line_and_begins_again(installer: Installer) -> None:
    installer.is_index_there = False
    with pytest.raises(SystemExit, match=r"could not set up .*package index"):
        set_up.enter(installer.root, has_test_tools=False)
    installer.is_index_there = True
    installer.start()
    assert installer.installed == [["requirements.lock"]]


def test_a_damaged_stamp_counts_as_none(installer: Installer) -> None:
    installer.start()
    stamp = next(installer.home.glob("*.json"))
    assert set(json.loads(stamp.read_text())) == {"requirements.lock"}
    stamp.write_text("{")
    installer.start()
    assert installer.made == 2


def test_a_python_without_ensurepip_is_told_what_is_missing(
    installer: Installer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def find_spec(name: str) -> None:
        assert name == "ensurepip"

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(SystemExit, match="apt install python3-venv"):
        set_up.enter(installer.root, has_test_tools=False)
    assert not installer.home.exists()


def test_inside_the_environment_nothing_is_replaced(installer: Installer, monkeypatch: pytest.MonkeyPatch) -> None:
    installer.start()
    monkeypatch.setattr(sys, "prefix", str(installer.home))
    set_up.enter(installer.root, has_test_tools=False)


@pytest.mark.parametrize("version", [(2, 7), (3, 6), (3, 10), (3, 14), (4, 0)])
def test_a_python_that_does_not_fit_is_told_so(version: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (*version, 0))
    with pytest.raises(SystemExit, match=rf"needs Python 3\.11, 3\.12 or 3\.13; this is Python {version[0]}\."):
        exec(compile(Path(run.__file__).read_text(), "run.py", "exec"), {"__name__": "elsewhere", "__file__": "run.py"})  # noqa: S102


def test_run_py_uses_nothing_that_an_old_python_cannot_read() -> None:
    source = Path(run.__file__).read_text(encoding="ascii")  # Python 2 takes no other without a declaration
    assert not [line for line in source.splitlines() if 'f"' in line or "->" in line.partition("#")[0]]


def test_every_command_says_what_it_does() -> None:
    _, by_name = run.parsers()
    for name, (module, does) in run.COMMANDS.items():
        command = importlib.import_module(module)
        command.add_arguments(by_name[name])
        words = " ".join(by_name[name].format_help().split())
        assert does[1:] in words
        assert f"usage: run.py {name}" in words


def test_an_unknown_command_is_a_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(["nonsense"])
    assert ended.value.code == 2
    assert "there is no command 'nonsense'" in capsys.readouterr().err


def test_who_reads_only_the_beginning_sees_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    words = [sys.executable, str(ROOT / "run.py"), "openapi"]
    ended = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")


def test_a_password_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMS_PASSWORD", "given")
    assert password_of("a@example.org") == "given"


def test_a_password_is_never_asked_where_it_would_be_shown() -> None:
    code = "from lms_rt.console.store import password_of; password_of('a@example.org')"
    env = {name: value for name, value in os.environ.items() if name != "LMS_PASSWORD"}
    asked = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        input="typed\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=env,
        timeout=60,
        start_new_session=True,  # without a terminal
    )
    assert asked.stderr.splitlines()[-1] == "EOFError"
    assert "Password of" not in asked.stdout + asked.stderr


_FAULTS: dict[str, tuple[BaseException, str]] = {
    "no server": (NotRunning("no server is running on x"), "no server is running on x"),
    "store": (StoreError("x is damaged"), "x is damaged"),
    "file": (FileNotFoundError(2, "No such file or directory", "/nope"), "/nope: No such file or directory"),
    "no terminal": (EOFError(), "there is no terminal to ask for a password: set LMS_PASSWORD"),
    "refused": (Refused(Code.NOT_FOUND, "No quiz."), "not_found: No quiz."),
}


@pytest.mark.parametrize("name", _FAULTS)
def test_what_a_command_meets_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    fault, words = _FAULTS[name]

    async def work() -> Any:
        raise fault

    assert run_command(work) == 1
    assert capsys.readouterr().err == f"{words}\n"
