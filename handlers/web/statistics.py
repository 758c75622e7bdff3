"""/teach/quizzes/{id}/statistics: what a quiz and its questions came to, in words, plots and tables. Works without scripts."""

from __future__ import annotations

from typing import Any, get_args

from handlers.rest.access import needs
from handlers.web import plots
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.statistics import WhichAttempts
from lms_rt.security.rights import Reach

_CHOICES: tuple[WhichAttempts, ...] = get_args(WhichAttempts)
_LOWEST, _HIGHEST = -0.4, 1.0
"""Discriminations that are drawn; lower ones stand on the ground."""
_GOOD, _FAIR = 0.8, 0.6
"""Alphas from which a total tells students apart well, or roughly (docs/statistics.md)."""


class StatisticsPage(PageHandler):
    """The figures of GET /quizzes/{id}/statistics."""

    access = needs("analytics:view")
    reach = Reach.TAUGHT

    async def get(self, quiz_id: str) -> None:
        """Scores, the map of questions, and every question."""
        asked = self.get_query_argument("attempts", "counted")
        which: WhichAttempts = next((one for one in _CHOICES if one == asked), "counted")
        view = await self.services.statistics.show(self.actor, quiz_id, which)
        quiz = await self.services.quizzes.show(self.actor, quiz_id)
        course = await self.services.courses.show(self.actor, quiz.course_id)
        shown = shape(view)
        screen = Screen(
            "statistics.html",
            title=(self.t("statistics.title"), quiz.title, course.title),
            scripts=("shell.js",),
            sheets=("pages.css", "teach.css", "statistics.css"),
        )
        self.show(
            screen,
            quiz=shape(quiz),
            course=shape(course),
            figures=shown,
            which=which,
            choices=_CHOICES,
            trust=_trust(shown["reliability"]["alpha"]),
            **_drawn(shown, is_mirrored=self.t.language == "ar"),
        )


def _trust(alpha: float | None) -> str:
    """How far the totals tell students apart, as a word of the catalogue."""
    if alpha is None:
        return "unknown"
    return "good" if alpha >= _GOOD else "fair" if alpha >= _FAIR else "low"


def _drawn(shown: dict[str, Any], *, is_mirrored: bool) -> dict[str, Any]:
    """The plots: how scores lie, and where questions lie by facility and discrimination."""
    place = plots.frame(is_mirrored=is_mirrored)
    told = [one for one in shown["questions"] if one["facility"] is not None and one["discrimination"] is not None]
    between = {"lowest": _LOWEST, "highest": _HIGHEST}
    return {
        "place": place,
        "bars": plots.bars([one["count"] for one in shown["distribution"]], place),
        "percents": plots.marks_across((0, 20, 40, 60, 80, 100), place, lowest=0, highest=100),
        "levels": plots.marks_upward((-0.4, 0, 0.2, 0.4, 0.6, 0.8, 1), place, **between),
        "dots": plots.dots([(one["order"], one["facility"], one["discrimination"]) for one in told], place, **between),
    }


PAGES = [(r"/teach/quizzes/([^/]+)/statistics", StatisticsPage)]
"""The rows of this page."""
