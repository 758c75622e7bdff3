"""The sub-command `test`: starts the real servers of the second lane when it can, and runs pytest over the whole suite.

What this machine lacks is named at the end with the command that brings it; under LMS_TEST_REQUIRE=all it is a failure.
"""

from __future__ import annotations

import argparse
import compileall
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.servers.mongo_server import running_mongo
from tests.servers.redis_server import running_redis

_ROOT = Path(__file__).resolve().parent.parent
_PARALLEL = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "--max-worker-restart", "0")
"""One more than the two cores that the suite is made for: a third of the time tests wait for browsers, processes and clocks.

A test that takes its process along (out of time, out of memory) has failed: pytest-xdist would give the same test to a process
made anew, and again, or wait for ever once that test is its file's last.
"""

_ROOMS = ("config", "documents", "handlers", "lms_rt", "workers", "tests")
_TEST_FILE = re.compile(r"/(test_[^/]*|conftest)\.py$")
_MAX_SECONDS = 3600.0
"""A run that is not over by then hangs where no test's own time is counted: between tests, or at the end."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the sub-command."""
    parser.add_argument(
        "pytest_args", nargs="*", metavar="path", help="only these tests; after --, any words for pytest"
    )
    parser.add_argument("--soak", action="store_true", help="also run the long tests")
    parser.add_argument("--quick", action="store_true", help="only what runs on the embedded store, without browsers")


def main(args: argparse.Namespace) -> int:
    """Run the suite; pytest's exit status."""
    words = [sys.executable, "-m", "pytest", *([] if args.pytest_args else _PARALLEL), *args.pytest_args]
    if args.soak:
        words.append("--soak")
    if args.quick:
        words += ["-m", "not real and not browser and not soak"]
    with ExitStack() as servers:
        env = dict(os.environ)
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # each of the hundreds of servers would compile the product anew
        if not args.pytest_args:
            _compile()
        if not args.quick and not args.pytest_args:
            servers.enter_context(_made_beforehand(env))
        if not args.quick:
            _start(servers, env, "MONGODB_TEST_URL", running_mongo())
            _start(servers, env, "REDIS_TEST_URL", running_redis())
        sys.stdout.flush()
        try:
            return subprocess.run(
                words, cwd=_ROOT, env=env, check=False, timeout=None if args.soak else _MAX_SECONDS
            ).returncode
        except subprocess.TimeoutExpired:
            print(f"the tests were not over within {_MAX_SECONDS:g} s", file=sys.stderr)  # noqa: T201
            return 1


def _compile() -> None:
    """Once, and not by each of the processes that begin side by side; what pytest makes of test files is its own."""
    for room in _ROOMS:
        compileall.compile_dir(_ROOT / room, quiet=2, workers=0, rx=_TEST_FILE)


@contextmanager
def _made_beforehand(env: dict[str, str]) -> Iterator[None]:
    """What tests need is built and fetched beside them; whatever that has begun ends with the run."""
    words = [sys.executable, "-m", "tests.servers.beforehand"]
    with subprocess.Popen(words, cwd=_ROOT, env=env, start_new_session=True) as beside:
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(beside.pid, signal.SIGTERM)


def _start(servers: ExitStack, env: dict[str, str], name: str, server: AbstractContextManager[str]) -> None:
    """One server for all workers of the run, unless one is named already. Absences are told by the tests themselves."""
    if not env.get(name):
        try:
            env[name] = servers.enter_context(server)
        except (pytest.skip.Exception, pytest.fail.Exception):
            env.pop(name, None)
