"""`python3 run.py simulate`: a class of students sits a quiz on real sockets whose lines drop, and what is stored is proved.

A visitor like any other: it speaks REST and the live protocol only, and knows none of the server's rules.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lms_rt.console.simulate.proof import Proof, prove
from lms_rt.console.simulate.room import Room
from lms_rt.console.simulate.school import School, SchoolRefusedError
from lms_rt.console.simulate.student import Manner
from lms_rt.console.simulate.watcher import Latencies
from lms_rt.console.store import password_of, run_command, settings_for
from lms_rt.services.demo import DEMO_PASSWORD, TEACHER_EMAIL
from lms_rt.storage.control import NotRunning, call


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many students, at which quiz, and how bad their lines are."""
    parser.add_argument("--students", type=int, default=30, help="how many students sit it (default: 30)")
    parser.add_argument("--quiz", metavar="ID", required=True, help="the quiz; its course must be free of charge")
    parser.add_argument("--drop-rate", type=float, default=0.2, help="how often a line drops, per step (default: 0.2)")
    parser.add_argument(
        "--think", type=float, default=0.3, metavar="SECONDS", help="between two answers of a student (default: 0.3)"
    )
    parser.add_argument("--url", help="address of the server (default: asked for at the control socket)")
    parser.add_argument("--as", dest="email", default=TEACHER_EMAIL, help="who reads the results back: staff")
    parser.add_argument("--data", metavar="DIR", help="data directory of the embedded store, to find the server by")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn (default: 1)")
    parser.epilog = "The password of --as is read from LMS_PASSWORD, else asked for. Exit status 0: everything held."


def main(args: argparse.Namespace) -> int:
    """Run the class; exit status 1 when a promise was broken."""
    return run_command(lambda: _simulate(args))


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be played."""

    address: str
    quiz_id: str
    students: int
    manner: Manner
    seed: int


async def _simulate(args: argparse.Namespace) -> int:
    if not (1 <= args.students <= 5000 and 0 <= args.drop_rate <= 1 and 0 < args.think <= 600):
        sys.stderr.write("--students goes from 1 to 5000, --drop-rate from 0 to 1, --think above 0 to 600\n")
        return 1
    address = args.url or await _find_address(args.data)
    if urlsplit(address).scheme not in {"http", "https"}:
        sys.stderr.write("--url is an address such as http://127.0.0.1:8000\n")
        return 1
    manner = Manner(args.drop_rate, (0.2 * args.think, 1.8 * args.think))
    plan = Plan(address.rstrip("/"), args.quiz, args.students, manner, args.seed)
    try:
        proof, latencies = await play(plan, args.email, _password(args.email))
    except SchoolRefusedError as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    _print(proof, latencies)
    return 1 if proof.faults else 0


async def play(plan: Plan, email: str, password: str) -> tuple[Proof, Latencies]:
    """Let the class sit the quiz, then read everything back. Raises `SchoolRefusedError` when it cannot begin."""
    async with School.open(plan.address, students=plan.students) as school:
        reader = await school.sign_in(email, password)
        quiz = await reader.get(f"/quizzes/{plan.quiz_id}")
        room = Room(school, quiz, reader, seed=plan.seed, manner_of=lambda _: plan.manner)
        async with asyncio.timeout(3 * 3600):
            await room.sit(plan.students, say=_say_progress)
        return await prove(room), room.latencies


async def _find_address(data: str | None) -> str:
    settings = settings_for(data)
    try:
        return str((await call(Path(settings.lms_data_dir), "address"))["address"])
    except NotRunning as error:
        raise NotRunning(f"{error}: start it with `python3 run.py`, or name it with --url") from None


def _password(email: str) -> str:
    """Where there is nobody to ask, the demo teacher has the password that is known."""
    is_known = email == TEACHER_EMAIL and not sys.stdin.isatty() and not os.environ.get("LMS_PASSWORD")
    return DEMO_PASSWORD if is_known else password_of(email)


def _say_progress(words: str) -> None:
    is_terminal = sys.stdout.isatty()
    sys.stdout.write(f"\r{words:<100}" if is_terminal else f"{words}\n")
    sys.stdout.flush()


def _print(proof: Proof, latencies: Latencies) -> None:
    print()
    for line in latencies.lines():
        print(line)
    for fact in proof.facts:
        print(f"holds   {fact}")
    for fault in proof.faults:
        print(f"BROKEN  {fault}")
    print("Everything held." if not proof.faults else f"{len(proof.faults)} promises were broken.")
