"""Two thousand sign-ins at once, beside people who read their course and sit an exam: what those wait for longer.

Passwords cost here what they cost in a school. A node hashes four a second: most of two thousand have to come again, and are
told when. The p99 of those at work is held against the same without the storm, by turns.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tests.house import PASSWORD
from tests.perf.arena import Arena, Running
from tests.perf.load import ROOT
from tests.perf.programs import LOAD_CORE, Program
from tests.perf.tables import Goal, Sample, Table

_AT_THE_DOOR, _AT_WORK = 2_000, 50
_COST = 12
_IDLE_SECONDS, _STORM_SECONDS = 5, 8
_MOST_TURNS = 3
_WORDS = {"read": "a course is read", "save": "an answer is saved over the socket"}
_UNANSWERED, _TIMELESS, _OTHERS_REFUSED = (
    "lost without an answer",
    "refused, not told when to come again",
    "others refused",
)

GOALS = (
    *(Goal("signin-wait", "must", 3, row=words) for words in _WORDS.values()),
    *(Goal("signin-answers", "must", 0, row=row) for row in (_UNANSWERED, _TIMELESS, _OTHERS_REFUSED)),
)


def signin_storm(arena: Arena) -> list[Table]:
    """By turns without them and with them."""
    number = arena.scaled(_AT_THE_DOOR, least=8)
    title = f"{number:,} sign-ins at once"
    wait = Table("signin-wait", f"{title}: the others' wait", "p99 with them ÷ p99 without them")
    alone = Table("signin-p99", f"{title}: the others' p99", "µs at the client, with its own time")
    answers = Table("signin-answers", f"{title}: how they were answered", f"of {number:,}, the first time")
    with _opened(arena, number) as (storm, work):
        work.answer("work 1")  # does not count
        for turn in range(min(arena.repeat, _MOST_TURNS)):
            arena.say(f"{wait.title}: turn {turn + 1}")
            idle = work.answer(f"work {arena.scaled(_IDLE_SECONDS)}")
            storm.answer("begin")
            beside = work.answer(f"work {arena.scaled(_STORM_SECONDS)}")
            told = storm.answer("end")
            _note(idle, beside, tables=(wait, alone))
            _note_answers(told, number, answers, others=idle["refused"] + beside["refused"])
    return [wait, alone, answers]


def _note(idle: dict[str, Any], beside: dict[str, Any], *, tables: tuple[Table, Table]) -> None:
    wait, alone = tables
    for name, words in _WORDS.items():
        wait.add(words, Sample(beside[name]["p99_us"] / idle[name]["p99_us"]))
        alone.add(f"{words}, alone", Sample(idle[name]["p99_us"]))
        alone.add(f"{words}, beside them", Sample(beside[name]["p99_us"]))


def _note_answers(told: dict[str, Any], number: int, answers: Table, *, others: int) -> None:
    first: dict[str, int] = told["first"]
    for status in ("200", "503", "429"):
        answers.add(status, Sample(first.get(status, 0)))
    waiting = number - sum(first.values())
    answers.add("still waiting at the end", Sample(waiting))
    answers.add(_UNANSWERED, Sample(sum(count for status, count in first.items() if not status.isdecimal())))
    answers.add(_TIMELESS, Sample(told["without a time to come again"]))
    answers.add(_OTHERS_REFUSED, Sample(others))


@contextmanager
def _opened(arena: Arena, number: int) -> Iterator[tuple[Program, Program]]:
    """The school, those at its door and those at work in it."""
    at_work = arena.scaled(_AT_WORK, least=4)
    contestant = arena.ours(password_hash_cost=_COST, trusted_proxies=["127.0.0.1/32"])
    with ExitStack() as stack:
        running = arena.start(stack, contestant, clients=0)
        emails, people = arena.new_file(), arena.new_file()
        people.write_text("".join(f"{path}\n" for path in running.paths[:at_work]))
        made = running.program.answer(f"sign-ins {number + 1} {emails}")
        storm = _program(arena, stack, "storming", running, emails, PASSWORD)
        yield storm, _program(arena, stack, "at_work", running, people, arena.course_id, made["quiz_id"])


def _program(arena: Arena, stack: ExitStack, name: str, running: Running, *words: Any) -> Program:
    command = [sys.executable, "-m", f"tests.perf.{name}", str(running.port), *(str(word) for word in words)]
    program = stack.enter_context(Program(command, core=LOAD_CORE, log=arena.log, cwd=ROOT))
    program.line()
    return program
