"""Several nodes of one school, each a process of its own on one MongoDB and one Redis, as an operator would run them."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from config.settings import Settings
from tests.servers.lms_server import LmsServer


class LmsNode(LmsServer):
    """A node as `run.py serve` makes it, or with limits (`limits`) and a wall clock (`clock_skew_ms`) of a test's choice."""

    def __init__(self, settings: Settings, given: Mapping[str, Any], *, log: Path) -> None:
        super().__init__(settings, "--no-demo", log=log)
        self.given = given

    def command(self) -> list[str]:
        """What is run."""
        if not self.given:
            return super().command()
        return [sys.executable, "-m", "tests.servers.node_main", json.dumps(self.given)]


@contextlib.contextmanager
def running_nodes(settings: Settings, *given: Mapping[str, Any], folder: Path) -> Iterator[list[LmsNode]]:
    """As many nodes as there are choices (none: {}), started side by side; their logs are in `folder`."""
    nodes = [LmsNode(settings, choice, log=folder / f"node{number}.log") for number, choice in enumerate(given, 1)]
    try:
        with ThreadPoolExecutor() as starting:
            tuple(starting.map(LmsNode.start, nodes))
        yield nodes
    finally:
        with ThreadPoolExecutor() as stopping:
            tuple(stopping.map(LmsNode.stop, nodes))
