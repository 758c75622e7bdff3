"""Every secret that the suite uses, and a look at everything that is logged or printed meanwhile: none may be in it.

Secrets are noted where they are made (random tokens, signed tokens), where a server hands them out (the replies that visitors
get) and where a process is given them (its environment). Log lines are looked at as the product would write them, from INFO on,
whatever handler a test has; the output of processes when the run ends. What tests themselves log is no output of the product.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jwt

from config.logging import JsonLines, WithRequest
from lms_rt.ids import looks_like_id

_RUN = re.compile(r"[A-Za-z0-9_-]{16,}")
"""What a secret of ours is made of; shorter ones could stand in a line by chance."""
_SECRET_FIELD = re.compile(r"token|secret|ticket|recovery_codes")
_SECRET_SETTING = re.compile(r"(KEY|PEPPER|PASSWORD|TOKEN|SECRET|SECRET_ID|DSN|PREVIOUS)$")
_OF_TESTS = ("tests", "test_", "conftest")
_PLAIN = frozenset({"token_type", "challenge_token_expires_in"})
PASSWORDS = ("correct horse battery staple",)
"""Of the people whom tests make."""

_noted: set[str] = set()
_outputs: list[Path] = []
found: list[str] = []
"""Where a secret came to light."""


def note(secret: str) -> None:
    """It is a secret: no line may hold it, nor a long part of it. A refresh token begins with its session's id, which is none."""
    _noted.update(run for run in _RUN.findall(secret) if not (run.startswith("fam_") and looks_like_id(run)))


def note_reply(content: bytes) -> None:
    """The secrets that a server hands out."""
    if _SECRET_FIELD.search(content[:65_536].decode("utf-8", "ignore")):
        try:
            _note_fields(json.loads(content))
        except ValueError:
            return


def _note_fields(value: Any, name: str = "") -> None:
    if isinstance(value, Mapping):
        for key, one in value.items():
            _note_fields(one, str(key))
    elif isinstance(value, list):
        for one in value:
            _note_fields(one, name)
    elif isinstance(value, str) and _SECRET_FIELD.search(name) and name not in _PLAIN:
        note(value)


def note_environment(env: Mapping[str, str]) -> None:
    """The secrets that a process is given."""
    for name, value in env.items():
        if _SECRET_SETTING.search(name):
            note(value)


def note_output(output: Path | list[str]) -> None:
    """What a process wrote: a file is read at the end of the run."""
    if isinstance(output, Path):
        if output not in _outputs:
            _outputs.append(output)
        return
    for line in output:
        look_at(line, "printed by a process")


def look_at(text: str, where: str) -> None:
    """Is there a secret in it? The words of a fault name its place, never the secret."""
    if any(run in _noted for run in _RUN.findall(text)) or any(password in text for password in PASSWORDS):
        test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
        found.append(f"{where}, during {test or 'no test'}: {_shown(text)}")


def _shown(text: str) -> str:
    """The line, with the secret's place marked."""
    for password in PASSWORDS:
        text = text.replace(password, "<<password>>")
    return _RUN.sub(lambda run: f"<<{run.group()[:4]}…>>" if run.group() in _noted else run.group(), text)[:500]


class _Reader(logging.Handler):
    """Reads every line as the product would write it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(JsonLines())
        self.addFilter(WithRequest())

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith(_OF_TESTS):
            look_at(self.format(record), f"logged by {record.name}")


def note_all_that_are_made() -> None:
    """From now on; before any module of tests makes one."""
    secrets.token_urlsafe = _noting(secrets.token_urlsafe)
    jwt.PyJWT.encode = _noting(jwt.PyJWT.encode)  # type: ignore[method-assign]


@contextmanager
def watching() -> Iterator[None]:
    """All lines are read until the body ends; then the files too."""
    root, reader = logging.getLogger(), _Reader()
    root.addHandler(reader)
    try:
        yield
    finally:
        root.removeHandler(reader)
    for path in _outputs:
        if path.is_file():
            for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
                look_at(line, f"{path.name}:{number}")


def _noting(make: Callable[..., str]) -> Callable[..., str]:
    @functools.wraps(make)
    def made(*args: Any, **kwargs: Any) -> str:
        secret = make(*args, **kwargs)
        note(secret)
        return secret

    return made
