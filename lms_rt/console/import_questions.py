"""`python3 run.py import-questions FILE`: a question file into a quiz, with a row for every question of the file."""

from __future__ import annotations

import argparse
import asyncio
import base64
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import orjson

from lms_rt.bootstrap import Services
from lms_rt.console.store import ask_or_do, run_command, settings_for
from lms_rt.contracts.base import encode, read_model
from lms_rt.contracts.quizzes import QuizDraft
from lms_rt.undoing import undoing

_MARKS = {"imported": "ok      ", "degraded": "DEGRADED", "skipped": "SKIPPED "}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which file, and into which quiz."""
    parser.add_argument("file", metavar="FILE", help="question file in Moodle's GIFT format (UTF-8)")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--quiz", metavar="ID", help="quiz to add the questions to")
    target.add_argument("--new", metavar="TITLE", help="make a new quiz with this title (needs --course)")
    parser.add_argument("--course", metavar="ID", help="course of the new quiz: its id or slug")
    parser.add_argument("--dry-run", action="store_true", help="write nothing, only report")
    parser.add_argument("--data", metavar="DIR", help="data directory of the embedded store")
    parser.epilog = "Exit status 0: every question was imported or degraded; 2: some were skipped; 1: nothing was done."


def main(args: argparse.Namespace) -> int:
    """Import and print the report."""
    return run_command(lambda: _import(args))


async def _import(args: argparse.Namespace) -> int:
    if args.new and not args.course:
        sys.stderr.write("--new needs --course: every quiz belongs to a course\n")
        return 1
    text = await asyncio.to_thread(Path(args.file).read_bytes)
    arguments = {
        "text": base64.b64encode(text).decode(),
        "quiz_id": args.quiz,
        "new_title": args.new,
        "course_id": args.course,
        "is_dry_run": args.dry_run,
    }

    async def work(services: Services) -> Any:
        return await import_questions(services, **arguments)

    report = await ask_or_do(settings_for(args.data), "import_questions", arguments, work)
    _print(report)
    return 2 if report["skipped"] else 0


async def import_questions(
    services: Services,
    *,
    text: str,
    quiz_id: str | None,
    new_title: str | None,
    course_id: str | None,
    is_dry_run: bool,
) -> dict[str, Any]:
    """Import as the house itself; the report of `15-shapes`, with `quiz_id`. A file that fails leaves no new quiz."""
    content = base64.b64decode(text)
    actor = services.console_actor
    if quiz_id is None and is_dry_run:
        report = await services.imports.preview(actor, course_id or "", text=content)
        return {"quiz_id": "(new)", **orjson.loads(encode(report))}
    async with AsyncExitStack() as begun:
        if quiz_id is None:
            made = await services.quizzes.create(actor, await _new_quiz(services, course_id or "", new_title or ""))
            quiz_id = made.id
            await begun.enter_async_context(undoing(lambda: services.quizzes.remove(actor, made.id)))
        report = await services.imports.import_questions(actor, quiz_id, text=content, is_dry_run=is_dry_run)
    return {"quiz_id": quiz_id, **orjson.loads(encode(report))}


async def _new_quiz(services: Services, course_id: str, title: str) -> QuizDraft:
    """The draft of a quiz in a course that is named by its id or slug."""
    course = await services.courses.show(services.console_actor, course_id)
    return read_model(QuizDraft, {"course_id": course.id, "title": title})


def _print(report: dict[str, Any]) -> None:
    for row in report["questions"]:
        reason = f": {row['reason']}" if row["reason"] else ""
        kind = row["question_type"] or "?"
        print(f"{_MARKS[row['status']]} line {row['line']:>5}  {kind:<15} {row['title'] or '(untitled)'}{reason}")
    would = "would be " if report["dry_run"] else ""
    print(
        f"{report['imported']} {would}imported, {report['degraded']} {would}degraded, {report['skipped']} skipped; "
        f"quiz {report['quiz_id']}"
    )
