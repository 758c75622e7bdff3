"""`python -m tests.perf.fanout`: the server's CPU time per delivered event, and the memory per listening connection.

A course is edited again and again, first with nobody listening, then with a class; what the listeners add, divided by
what they were sent, is the price of one delivery. Server, editor and listeners share the machine; only CPU time counts.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import socket
import statistics
import sys

from tests import factories
from tests.clients import Visitor
from tests.house import PASSWORD
from tests.perf.listeners import Listeners, open_listener
from tests.perf.server import cpu_seconds, measured_server, resident_mib
from tests.servers.lms_server import LmsServer

LINES_PER_PERSON = 15
"""Of the 20 that a user may have."""
_PATIENCE_SECONDS = 120.0


async def edited(teacher: Visitor, course_id: str, times: int) -> None:
    """So many events: one for each edit."""
    for number in range(times):
        await teacher.ok("PATCH", f"/courses/{course_id}", json={"short_description": f"Edit {number}"})


async def opened_lines(server: LmsServer, course_id: str, number: int) -> Listeners:
    """So many lines of enrolled students on the course's channel."""
    lines: list[socket.socket] = []
    for person in range(-(-number // LINES_PER_PERSON)):
        async with Visitor.of(server.address) as student:
            await student.register(f"student{person}@example.org", PASSWORD, f"Student {person}")
            await factories.enrolled(student, course_id)
            tickets = [await student.ticket() for _ in range(min(LINES_PER_PERSON, number - len(lines)))]
            lines += [open_listener(server.port, ticket, f"course:{course_id}") for ticket in tickets]
    return Listeners(lines, b'"event":"course_updated"')


async def spent(teacher: Visitor, course_id: str, pid: int, *, events: int, listeners: Listeners | None) -> float:
    """Seconds of the server's CPU for so many events, until the last one has arrived everywhere."""
    before = cpu_seconds(pid)
    reading = None
    if listeners is not None:
        wanted = listeners.count + events * listeners.number
        reading = asyncio.create_task(asyncio.to_thread(listeners.read_until, wanted, seconds=_PATIENCE_SECONDS))
    await edited(teacher, course_id, events)
    if reading is not None:
        await reading
    return cpu_seconds(pid) - before


def say(words: str) -> None:
    """A line of the result."""
    sys.stdout.write(f"{words}\n")


async def measure(number: int, events: int, rounds: int) -> None:
    """Print the medians of some rounds."""
    with measured_server() as server:
        async with Visitor.of(server.address) as teacher:
            await teacher.register("teacher@example.org", PASSWORD, "Tamar Teacher", "instructor")
            course_id = (await factories.course(teacher))["id"]
            await edited(teacher, course_id, events)  # warm
            ask = functools.partial(spent, teacher, course_id, server.pid, events=events)
            alone = [await ask(listeners=None) for _ in range(rounds)]
            empty_mib = resident_mib(server.pid)
            listeners = await opened_lines(server, course_id, number)
            line_kib = (resident_mib(server.pid) - empty_mib) * 1024 / number
            heard = [await ask(listeners=listeners) for _ in range(rounds)]
            listeners.close()
    base, full = statistics.median(alone), statistics.median(heard)
    say(f"{number} listeners, {events} events, median of {rounds} rounds")
    say(f"an edit that nobody hears      {base / events * 1e6:8.0f} µs of CPU")
    say(f"the same, heard by {number:<5}       {full / events * 1e6:8.0f} µs")
    say(f"per delivered event            {(full - base) / events / number * 1e6:8.2f} µs")
    say(f"per listening connection       {line_kib:8.1f} KiB")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=300)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    asyncio.run(measure(args.listeners, args.events, args.rounds))


if __name__ == "__main__":
    main()
