"""One stalled reader among many: what it costs in memory, and whether the others wait for it."""

from __future__ import annotations

from contextlib import ExitStack

from tests.perf.arena import Arena, Running
from tests.perf.load import Load, Report
from tests.perf.programs import forget_peak, kernel_queue_bytes, resident_kib
from tests.perf.tables import Goal, Sample, Table
from tests.perf.toolchains import Absent

_PEERS = ("tornado-str", "ws")
_MORE_BYTES, _HEAVY_EVENTS, _STEP = 48_000, 200, 5
"""9 MB for each client: more than the kernel takes for one that does not read, and more than we hold for it."""
_EVENTS, _EVENTS_PER_SECOND = 60, 15
_HISTORY = 1_000
_MOST_TURNS = 3

GOALS = (
    Goal("stalled-memory", "must", 2_048),
    Goal("stalled-wait", "must", 1.2),
)


def stalled_reader(arena: Arena) -> list[Table]:
    """The same events without it and with it, by turns."""
    clients = arena.scaled(1_000, least=10)
    memory = Table(
        "stalled-memory", f"A stalled reader among {clients:,}: memory", "KiB at most, above a run without it"
    )
    wait = Table(
        "stalled-wait", f"A stalled reader among {clients:,}: the others' wait", "p99 with it ÷ p99 without it"
    )
    with ExitStack() as stack:
        running = []
        for contestant in [*arena.find_peers(_PEERS), arena.ours()]:
            arena.say(f"{memory.title}: {contestant.name}")
            try:
                running.append(_with_full_history(arena, arena.start(stack, contestant, clients=0), clients))
            except Absent as absent:
                memory.absent[contestant.name] = wait.absent[contestant.name] = str(absent)
        for turn in range(min(arena.repeat, _MOST_TURNS)):
            for one in running:
                kib, ratio = _compared(arena, one, clients + turn)
                memory.add(one.contestant.name, kib)
                wait.add(one.contestant.name, ratio)
    return [memory, wait]


def _with_full_history(arena: Arena, running: Running, clients: int) -> Running:
    """Ours keeps a channel's last 1,000 events: none of the measured ones shall make it hold more."""
    arena.open(running, 1)
    running.load.rounds(arena.scaled(_HISTORY), more_bytes=_MORE_BYTES)
    running.load.close()
    arena.open(running, clients)
    return running


def _compared(arena: Arena, running: Running, place: int) -> tuple[Sample, Sample]:
    least, alone = _most_kib(arena, running), _paced(arena, running)
    path = running.paths[min(place, len(running.paths) - 1)]
    with Load(running.port, running.program, running.contestant.opening, log=arena.log) as other:
        other.open([path], arena.new_file())
        other.stall(1)
        _fill_kernel(arena, running)
        beside = _paced(arena, running)
        most = _most_kib(arena, running)
    return Sample(most - least), Sample(beside.p99_us / alone.p99_us, beside.load_share)


def _fill_kernel(arena: Arena, running: Running) -> None:
    """Send until the kernel takes no more for the one that does not read, and the server has to keep it."""
    held = -1
    for _ in range(0, arena.scaled(_HEAVY_EVENTS), _STEP):
        before, held = held, kernel_queue_bytes(running.port)
        if held == before > 0:
            return
        running.load.rounds(_STEP, more_bytes=_MORE_BYTES)


def _paced(arena: Arena, running: Running) -> Report:
    return running.load.pace(arena.scaled(_EVENTS, least=3), _EVENTS_PER_SECOND)


def _most_kib(arena: Arena, running: Running) -> int:
    forget_peak(running.program.pid)
    running.load.rounds(arena.scaled(_HEAVY_EVENTS), more_bytes=_MORE_BYTES)
    return resident_kib(running.program.pid, peak=True)
