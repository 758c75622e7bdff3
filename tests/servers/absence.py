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
    "chromium": "apt-get install chromium fonts-dejavu-core",
}


def require_program(program: str) -> str:
    """The path of a program, or the end of this test."""
    path = shutil.which(program)
    return path if path is not None else absent(program, INSTALL[program])


def absent(what: str, command: str) -> NoReturn:
    """End this test, because the machine lacks something. `tests/conftest.py` repeats the words at the end of the run."""
    if os.environ.get("LMS_TEST_REQUIRE") == "all":
        pytest.fail(f"{what} is missing, and LMS_TEST_REQUIRE=all wants it: {command}", pytrace=False)
    pytest.skip(f"{what} is missing; to run this: {command}")
