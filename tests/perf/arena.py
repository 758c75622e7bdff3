"""Where contestants run: each on the server's core with its clients on the other, ours with a school that is made once."""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.perf.contestants import OURS, PEERS, Contestant
from tests.perf.load import ROOT, Load, Opening, Report
from tests.perf.programs import SERVER_CORE, Program, cpu_seconds
from tests.perf.tables import Sample, Table
from tests.perf.toolchains import Absent

MOST_PEOPLE = 10_000
_SETTLE_SECONDS = 0.5

Work = Callable[[Load], Report]
"""What the load is told to do in one run."""


@dataclass(slots=True)
class Running:
    """A contestant that is up, and its clients."""

    contestant: Contestant
    program: Program
    port: int
    paths: Sequence[str]
    clients: Load | None = None

    @property
    def load(self) -> Load:
        """Its clients."""
        assert self.clients is not None
        return self.clients

    def run(self, work: Work, *, idle_share: float = 0.0) -> Sample:
        """One run: the server's CPU time per counted frame, in microseconds, without what it spends at rest."""
        before = cpu_seconds(self.program.pid)
        report = work(self.load)
        spent = cpu_seconds(self.program.pid) - before - idle_share * report.seconds
        return Sample(spent / report.count * 1e6, report.load_share)

    def idle_share(self, seconds: float) -> float:
        """How busy its core is while nobody wants anything: pings and looks at every connection."""
        before, began = cpu_seconds(self.program.pid), time.monotonic()
        time.sleep(seconds)
        return (cpu_seconds(self.program.pid) - before) / (time.monotonic() - began)


class Arena:
    """Everything of one benchmark run that scenarios share."""

    def __init__(self, *, repeat: int, scale: float, only: Collection[str] | None) -> None:
        self.repeat, self.scale, self._only = repeat, scale, only
        self._stack = ExitStack()
        self.scratch = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="lms_rt-bench-")))
        self.log = self.scratch / "programs.log"
        self._files = count()
        self.course_id = ""
        self._people: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._stack.close()

    def scaled(self, number: int, *, least: int = 1) -> int:
        """So many in a full run; fewer in a small one."""
        return max(least, math.ceil(number * self.scale))

    def settle(self, seconds: float = _SETTLE_SECONDS) -> None:
        """Let what was begun come to its end, in a full run for so long."""
        time.sleep(seconds * min(1.0, self.scale * 10))

    def new_file(self) -> Path:
        """A path that nobody uses."""
        return self.scratch / f"file{next(self._files)}"

    def say(self, words: str) -> None:
        """Progress, for whoever waits."""
        sys.stderr.write(f"{words}\n")
        sys.stderr.flush()

    # --- contestants ---

    def find_peers(self, keys: Sequence[str]) -> list[Contestant]:
        """Those of the keys that were asked for."""
        return [peer for peer in PEERS if peer.key in keys and (self._only is None or peer.key in self._only)]

    def ours(self, *, is_listening: bool = True, **settings: Any) -> Contestant:
        """Us, with the school of this arena; each client is a student of its own, listening to the course or idle."""
        if not self._people:
            self._found_school()
        given = {**self._settings(), "joins_course": self.course_id, **settings}
        return _our_node(given, is_listening=is_listening)

    @property
    def people(self) -> Sequence[str]:
        """The paths by which the students of the school open the socket."""
        self.ours()
        return self._people

    @property
    def school(self) -> Path:
        """The directory of the school, which only one process may have open."""
        self.ours()
        return self.scratch / "school"

    @contextmanager
    def school_on_two_nodes(self, settings: dict[str, Any], *, people: int) -> Iterator[tuple[Running, Running]]:
        """A new school on servers of its own, with the paths of so many students, and two nodes of it without clients."""
        file, given = self.new_file(), {**self._settings(), **settings}
        with ExitStack() as stack:
            programs, nodes = [], []
            for number in range(2):
                given["lms_data_dir"] = str(self.scratch / f"node{number}")
                node = _our_node(given)
                programs.append(stack.enter_context(Program(node.command(), core=SERVER_CORE, log=self.log, cwd=ROOT)))
                port = int(programs[-1].line().split()[1])
                if not number:
                    given["joins_course"] = programs[0].answer(f"people {people} {file}")["course_id"]
                nodes.append(Running(_our_node(given), programs[-1], port, file.read_text().split()))
            yield nodes[0], nodes[1]

    @contextmanager
    def school_on_a_node(self, settings: dict[str, Any], *, people: int) -> Iterator[Running]:
        """A new school on servers of its own, with the paths of so many students, and one node of it without clients."""
        file = self.new_file()
        node = _our_node({**self._settings(), "lms_data_dir": str(self.scratch / "node"), **settings})
        with Program(node.command(), core=SERVER_CORE, log=self.log, cwd=ROOT) as program:
            port = int(program.line().split()[1])
            program.answer(f"people {people} {file}")
            yield Running(node, program, port, file.read_text().split())

    def _settings(self) -> dict[str, Any]:
        return {
            "lms_data_dir": str(self.scratch / "school"),
            "password_hash_cost": 4,
            "allow_public_role_registration": True,
            "access_token_expire_minutes": 1440,
            "log_level": "WARNING",
        }

    def _found_school(self) -> None:
        """Make the school once; every start of ours opens it as it was left."""
        number, file = self.scaled(MOST_PEOPLE, least=100), self.new_file()
        self.say(f"making a school of {number} students")
        with Program(_our_node(self._settings()).command(), core=SERVER_CORE, log=self.log, cwd=ROOT) as program:
            program.line()
            self.course_id = program.answer(f"people {number} {file}")["course_id"]
        self._people = file.read_text().split()

    def start(self, stack: ExitStack, contestant: Contestant, *, clients: int) -> Running:
        """Start it and open its clients. Raises `Absent`."""
        command = contestant.command()
        program = stack.enter_context(Program(command, core=SERVER_CORE, log=self.log, cwd=contestant.cwd))
        port = int(program.line().split()[1])
        load = stack.enter_context(Load(port, program, contestant.opening, log=self.log))
        paths = self._people if contestant.key == OURS else [contestant.path] * MOST_PEOPLE
        running = Running(contestant, program, port, paths, load)
        if clients:
            self.open(running, clients)
        return running

    def open(self, running: Running, clients: int) -> None:
        """Open its clients."""
        running.load.open(running.paths[:clients], self.new_file())

    @contextmanager
    def started(self, contestant: Contestant, *, clients: int) -> Iterator[Running]:
        """The same for one block."""
        with ExitStack() as stack:
            yield self.start(stack, contestant, clients=clients)

    def contest(self, table: Table, contestants: Sequence[Contestant], work: Work, *, clients: int) -> None:
        """Let all do the same work by turns, after one turn that does not count."""
        with ExitStack() as stack:
            running = []
            for contestant in contestants:
                self.say(f"{table.title}: {contestant.name}, {clients} clients")
                try:
                    running.append(self.start(stack, contestant, clients=clients))
                except Absent as absent:
                    table.absent[contestant.name] = str(absent)
            self.settle()
            for turn in range(self.repeat + 1):
                for one in running:
                    sample = one.run(work)
                    if turn:
                        table.add(one.contestant.name, sample)


def named(contestant: Contestant, name: str) -> Contestant:
    """The same under another name."""
    return replace(contestant, name=name)


def _our_node(given: Mapping[str, Any], *, is_listening: bool = True) -> Contestant:
    hello = json.dumps({"id": 1, "type": "subscribe", "channel": f"course:{given.get('joins_course', '')}"})
    opening = Opening(hello=hello, ready='"ok":true') if is_listening else Opening(ready='"welcome"')
    command = [sys.executable, "-m", "tests.perf.ours", json.dumps(given)]
    return Contestant(OURS, OURS, lambda: command, opening=opening)
