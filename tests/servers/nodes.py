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
    """A node whose limits (`limits`) and wall clock (`clock_skew_ms`) the test has chosen."""

    def __init__(self, settings: Settings, given: Mapping[str, Any], *, log: Path) -> None:
        super().__init__(settings, log=log)
        self._given = dict(given)

    def command(self) -> list[str]:
        """What is run."""
        return [sys.executable, "-m", "tests.servers.node_main", json.dumps(self._given)]


@contextlib.contextmanager
def running_nodes(settings: Settings, *given: Mapping[str, Any], folder: Path) -> Iterator[list[LmsNode]]:
    """As many nodes as there are choices, started side by side; their logs are in `folder`."""
    nodes = [LmsNode(settings, choice, log=folder / f"node{number}.log") for number, choice in enumerate(given, 1)]
    try:
        with ThreadPoolExecutor() as starting:
            tuple(starting.map(LmsNode.start, nodes))
        yield nodes
    finally:
        for node in nodes:
            node.stop()
