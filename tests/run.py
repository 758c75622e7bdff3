"""The sub-command `test`: starts the real servers of the second lane when it can, and runs pytest over the whole suite.

What this machine lacks is named at the end with the command that brings it; under LMS_TEST_REQUIRE=all it is a failure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from tests.servers.mongo_server import running_mongo
from tests.servers.redis_server import running_redis

_ROOT = Path(__file__).resolve().parent.parent
_PARALLEL = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
"""One more than the two cores that the suite is made for: a third of the time tests wait for browsers, processes and clocks."""


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
        if not args.quick:
            _start(servers, env, "MONGODB_TEST_URL", running_mongo())
            _start(servers, env, "REDIS_TEST_URL", running_redis())
        sys.stdout.flush()
        return subprocess.run(words, cwd=_ROOT, env=env, check=False).returncode


def _start(servers: ExitStack, env: dict[str, str], name: str, server: AbstractContextManager[str]) -> None:
    """One server for all workers of the run, unless one is named already. Absences are told by the tests themselves."""
    if not env.get(name):
        try:
            env[name] = servers.enter_context(server)
        except (pytest.skip.Exception, pytest.fail.Exception):
            env.pop(name, None)
