"""What a machine lacks for a part of the suite: skipped and named at the end, or a failure under LMS_TEST_REQUIRE=all."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

INSTALL = {
    "go": "apt-get install golang-go (1.22 or later)",
    "java": "apt-get install default-jdk-headless",
    "mvn": "apt-get install maven",
    "node": "apt-get install nodejs",
    "npm": "apt-get install npm",
    "nginx": "apt-get install nginx",
    "redis-server": "apt-get install redis-server",
    "chromium-headless-shell": "apt-get install chromium-headless-shell fonts-dejavu-core (or chromium)",
}


def require_program(program: str, *others: str) -> str:
    """The path of a program, or of the first other that would do as well, or the end of this test."""
    paths = (shutil.which(name) for name in (program, *others))
    return next((path for path in paths if path is not None), None) or absent(program, INSTALL[program])


def absent(what: str, command: str) -> NoReturn:
    """End this test, because the machine lacks something. `tests/conftest.py` repeats the words at the end of the run."""
    if os.environ.get("LMS_TEST_REQUIRE") == "all":
        pytest.fail(f"{what} is missing, and LMS_TEST_REQUIRE=all wants it: {command}", pytrace=False)
    pytest.skip(f"{what} is missing; to run this: {command}")
