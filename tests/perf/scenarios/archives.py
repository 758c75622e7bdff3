"""A course of one GiB taken out as one file and put in again: whether memory stays flat, and what a GiB costs.

One process does it, without workers beside it. Beside it, the same course of a sixteenth: what the large one takes more than that
grows with the size.
"""

from __future__ import annotations

import shutil
import sys

from tests.perf.arena import Arena
from tests.perf.load import ROOT
from tests.perf.programs import SERVER_CORE, Program
from tests.perf.tables import Goal, Sample, Table

_MEBIBYTES = 1_024
_SMALLER = 16
_SECONDS = 900.0
OUT, BACK = "out", "in again"
GROWN, LOST = "MiB more at the most than for a sixteenth of it", "bytes lost on the way"

GOALS = (Goal("archive", "must", 16, row=GROWN), Goal("archive", "must", 0, row=LOST))


def archives(arena: Arena) -> list[Table]:
    """First the small one, then the large one, in one process: what it had at the most is never forgotten."""
    size = arena.scaled(_MEBIBYTES, least=_SMALLER)
    table = Table("archive", f"A course of {size:,} MiB as one file, out and in again", "as named")
    cost = Table("archive-cost", f"A course of {size:,} MiB as one file", "CPU seconds for each GiB")
    for turn in range(arena.repeat):
        arena.say(f"{table.title}: {turn + 1}")
        folder = arena.new_file()
        command = [sys.executable, "-m", "tests.perf.archiving", str(folder)]
        with Program(command, core=SERVER_CORE, log=arena.log, cwd=ROOT) as library:
            library.line()
            small, large = (library.answer(f"course {one}", seconds=_SECONDS) for one in (size // _SMALLER, size))
        shutil.rmtree(folder)  # four times the course, each time
        if large["fault"]:
            raise RuntimeError(f"the course could not be put in: {large['fault']}")
        table.add(GROWN, Sample(large["peak_mib"] - small["peak_mib"]))
        table.add(LOST, Sample(large["lost"]))
        cost.add(OUT, Sample(large["out"]["cpu"] * 1_024 / size))
        cost.add(BACK, Sample(large["in"]["cpu"] * 1_024 / size))
    return [table, cost]
