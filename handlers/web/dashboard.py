"""The live dashboard and the projector: the first view in the HTML, the rest by scripts. What they show is the services' to say."""

from __future__ import annotations

from typing import Any

from handlers.rest.access import needs
from handlers.web.base import PageHandler, Screen, shape
from handlers.web.presentation import Reader, local_text
from lms_rt.contracts.quizzes import QuestionQuery, QuizView
from lms_rt.security.permissions import Permission
from lms_rt.security.rights import Reach
from lms_rt.services.rendering import plain_line

ROWS = 50
_OPTION_LENGTH = 300
_OPEN = ("in_progress", "paused")
_ALL_AT_ONCE = 100


class LivePage(PageHandler):
    """What both pages of a running quiz share."""

    access = needs("analytics:view")
    reach = Reach.TAUGHT

    async def questions_of(self, quiz_id: str) -> list[dict[str, Any]]:
        """All questions, as their author sees them."""
        found: list[dict[str, Any]] = []
        for page in range(1, _ALL_AT_ONCE):
            query = QuestionQuery(page=page, page_size=_ALL_AT_ONCE)
            listed = shape(await self.services.questions.list(self.actor, quiz_id, query))
            found += listed["items"]
            if page >= listed["pages"]:
                break
        return found


class DashboardPage(LivePage):
    """/teach/quizzes/{id}/live."""

    async def get(self, quiz_id: str) -> None:
        """Figures, who needs attention, students, questions."""
        live = await self.services.dashboards.show(self.actor, quiz_id)
        quiz = await self.services.quizzes.show(self.actor, quiz_id)
        course = await self.services.courses.show(self.actor, quiz.course_id)
        questions = await self.questions_of(quiz_id)
        shown = shape(live)
        total = _answered_at_most(quiz, len(shown["questions"]))
        may_control = self.actor.has_permission(Permission.QUIZZES_MANAGE)
        data = {
            "quiz_id": quiz_id,
            "rows": ROWS,
            "total": total,
            "options": _options(questions),
            "versions": _versions(questions),
            "may_control": may_control,
            "closes_at": shown["closes_at"],
            "time_limit_minutes": quiz.time_limit_minutes,
        }
        screen = Screen(
            "dashboard.html",
            title=(self.t("dashboard.title"), quiz.title, course.title),
            data=data,
            groups=("dashboard", "errors", "keys", "log"),
            scripts=("shell.js", "dashboard.js"),
            sheets=("pages.css", "dashboard.css"),
        )
        self.show(
            screen,
            quiz=shape(quiz),
            course=shape(course),
            live=shown,
            rows=shown["students"][:ROWS],
            counts=_counts(shown["students"]),
            ends_at=_end_of(shown["students"]),
            numbers={row["question_id"]: row["order"] for row in shown["questions"]},
            options=_options(questions),
            total=total,
            may_control=may_control,
            groups=sorted({row["group"] for row in shown["students"] if row["group"]}),
        )


class ScreenPage(LivePage):
    """/teach/quizzes/{id}/screen: the projector. Nobody's name is in it."""

    has_shell = False

    async def get(self, quiz_id: str) -> None:
        """Title, clock, end and counts; the bars come when the teacher reveals them."""
        live = await self.services.dashboards.show(self.actor, quiz_id)
        quiz = await self.services.quizzes.show(self.actor, quiz_id)
        shown = shape(live)
        totals = shown["totals"]
        ends_at = _end_of(shown["students"])
        questions = await self.questions_of(quiz_id)
        screen = Screen(
            "screen.html",
            title=(self.t("screen.title"), quiz.title),
            data={
                "quiz_id": quiz_id,
                "options": _options(questions),
                "versions": _versions(questions),
                "questions": shown["questions"],
                "totals": totals,
            },
            groups=("screen", "dashboard"),
            scripts=("shell.js", "screen.js"),
            sheets=("screen.css",),
        )
        self.show(
            screen,
            quiz=shape(quiz),
            totals=totals,
            closed=totals["submitted"] + totals["graded"],
            now=shown["server_time"],
            ends=ends_at and local_text(ends_at, "time", Reader(self.t, self.zone())),
        )


def _answered_at_most(quiz: QuizView, questions: int) -> int:
    """How many questions a student has: those drawn, where some are drawn."""
    drawn = sum(rule.count for rule in quiz.draw)
    return min(drawn, questions) if drawn else questions


def _options(questions: list[dict[str, Any]]) -> dict[str, list[dict[str, str]]]:
    """What may be chosen, in the author's order: what the bars are of. No keys: they are fetched when asked for."""
    found: dict[str, list[dict[str, str]]] = {}
    for question in questions:
        kind = question["question_type"]
        if kind == "true_false":
            found[question["id"]] = [{"id": "true", "text": ""}, {"id": "false", "text": ""}]
        elif kind in {"multiple_choice", "multiple_select"}:
            found[question["id"]] = [_option(option) for option in question["options"]]
    return found


def _option(option: dict[str, Any]) -> dict[str, str]:
    """An option in plain words."""
    return {"id": option["id"], "text": plain_line(option["text"], _OPTION_LENGTH)}


def _versions(questions: list[dict[str, Any]]) -> dict[str, int]:
    """Which wording of each question the page has: scripts read them again when one moves."""
    return {question["id"]: question["version"] for question in questions}


def _counts(students: list[dict[str, Any]]) -> dict[str, int]:
    """The numbers on the filters, as far as they are known before anything was watched."""
    return {
        "all": len(students),
        "away": sum(row["status"] in _OPEN and not row["is_connected"] for row in students),
        "flagged": sum(row["status"] in _OPEN and bool(row["flags"]) for row in students),
        "paused": sum(row["status"] == "paused" for row in students),
        "in": sum(row["status"] not in _OPEN for row in students),
    }


def _end_of(students: list[dict[str, Any]]) -> str | None:
    """When the last open attempt ends; None: none is open, or one has no end."""
    ends = [row["deadline_at"] for row in students if row["status"] in _OPEN]
    return None if not ends or None in ends else max(ends)


PAGES = [(r"/teach/quizzes/([^/]+)/live", DashboardPage), (r"/teach/quizzes/([^/]+)/screen", ScreenPage)]
