"""Mails: what a worker makes of a long queue, beside a loop around aiosmtplib that has the words of each mail in its hand.

On two cores, MongoDB's stand-in and the mail server share the one that the worker has not, so that the time on the clock is
theirs as much as the worker's: its CPU time is compared as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.perf.arena import Arena
from tests.perf.contestants import OURS
from tests.perf.job_place import JobPlace, job_place, opened_for, wait_until
from tests.perf.programs import LOAD_CORE, SERVER_CORE, Program, cpu_seconds
from tests.perf.tables import Goal, Sample, Table

_MAILS, _CONNECTIONS = 10_000, 5
_DELAY_MS = 10
_TEMPLATE, _DATA = "enrollment_confirmation", '{"course_title":"Algebra","link":"/courses/crs_1"}'
_BARE, _MADE = "bare aiosmtplib", "the same, every mail made before"
_WAYS = {_BARE: "written", _MADE: "made"}
_AT_LEAST = 0.7
_TOGETHER = f"{OURS}, SMTP_HANDOVERS={_CONNECTIONS}"
"""As many mails at once may be in the server's hands and not noted: so many come twice when the worker is killed."""

GOALS = (Goal("mails", "must", 1 / _AT_LEAST, _BARE), Goal("mails-cpu", "must", 1 / _AT_LEAST, _BARE))
DISTANT_GOALS = (Goal("mails-distant", "must", 1 / _AT_LEAST, _BARE, row=_TOGETHER),)


def mails(arena: Arena) -> list[Table]:
    """Both hand the same mail to the same aiosmtpd, over as many connections; it takes each at once."""
    wall = Table("mails", "Mails", f"ms per mail, {_CONNECTIONS} connections")
    cpu = Table("mails-cpu", "Mails", "sender's CPU, µs per mail")
    wall.note = (
        "Of ours, each is a job in MongoDB, an account that is read, wishes that are asked, and a text that is written."
    )
    wall.note += (
        " MongoDB and Redis are on the core of the mail server. The bare loop writes each mail with `EmailMessage`."
    )
    return _compared(arena, 0, wall, cpu)


def mails_distant(arena: Arena) -> list[Table]:
    """The same with a mail server that takes its time, as those of others do."""
    wall = Table(
        "mails-distant",
        f"Mails, to a server that takes {_DELAY_MS} ms for each",
        f"ms per mail, {_CONNECTIONS} connections",
    )
    wall.note = (
        "Of ours, the server has one mail at a time that is not noted yet; then also as many as there are connections."
    )
    return _compared(arena, _DELAY_MS, wall)


def _compared(arena: Arena, delay_ms: int, *tables: Table) -> list[Table]:
    with opened_for(tables, job_place(arena.scratch / tables[0].key)) as place:
        if place is not None:
            _compare(arena, place, tables, delay_ms=delay_ms)
    return list(tables)


def _compare(arena: Arena, place: JobPlace, tables: Sequence[Table], *, delay_ms: int) -> None:
    """Ours and the bare loop by turns; the first turn, which also brings the mail for the loop, is a short one."""
    sink = place.program("tests.perf.peers.smtp_sink", str(delay_ms), core=LOAD_CORE)
    port = sink.line().split()[1]
    for turn in range(arena.repeat + 1):
        arena.say(f"{tables[0].title}: {turn}")
        count = arena.scaled(_MAILS) if turn else arena.scaled(_MAILS // 10)
        ours = {OURS: _ours(place, sink, port, count=count, prefix=f"{delay_ms}_{turn}_")}
        if delay_ms:
            prefix = f"{delay_ms}_{turn}_together_"
            ours[_TOGETHER] = _ours(place, sink, port, count=count, prefix=prefix, handovers=_CONNECTIONS)
        bare = {name: _bare(place, sink, port, count=count, way=way) for name, way in _WAYS.items()}
        for name, values in {**bare, **ours}.items() if turn else ():
            for table, value in zip(tables, values, strict=False):
                table.add(name, Sample(value))


def _ours(
    place: JobPlace, sink: Program, port: str, *, count: int, prefix: str, handovers: int = 1
) -> tuple[float, float]:
    place.maker.answer("clear")
    place.maker.answer(f"mails {count} {prefix} {_TEMPLATE} {_DATA}")
    sink.answer("again")
    smtp = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": port, "SMTP_TLS": "none", "SMTP_HANDOVERS": str(handovers)}
    worker = place.start_worker("emails", **smtp)
    worker.line()
    before = cpu_seconds(worker.pid)
    wait_until(lambda: sink.answer("count")["distinct"] >= count)
    spent = cpu_seconds(worker.pid) - before
    took = sink.answer(f"keep {place.folder / 'mail'}")
    worker.stop()
    return took["seconds"] / count * 1e3, spent / count * 1e6


def _bare(place: JobPlace, sink: Program, port: str, *, count: int, way: str) -> tuple[float, float]:
    sink.answer("again")
    loop = place.program("tests.perf.peers.bare_smtp", port, core=SERVER_CORE)
    loop.line()
    before = cpu_seconds(loop.pid)
    loop.answer(f"send {count} {_CONNECTIONS} {place.folder / 'mail'} {way}")
    spent = cpu_seconds(loop.pid) - before
    took = sink.answer("count")
    loop.stop()
    return took["seconds"] / count * 1e3, spent / count * 1e6
