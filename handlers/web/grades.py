"""/courses/{slug}/grades: a student's own grades in a course, with how each came about."""

from __future__ import annotations

from typing import Any

from handlers.rest.access import SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.gradebook import GradesView
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach


class GradesPage(PageHandler):
    """The figures of GET /courses/{id}/grades."""

    access = SIGNED_IN
    reach = Reach.LEARNER

    async def get(self, slug: str) -> None:
        """The grades; who does not learn there is sent to the course's page."""
        try:
            view = await self.services.gradebooks.explain_own(self.actor, slug)
        except Refused as refused:
            if refused.code is not Code.NOT_ENROLLED:
                raise
            self.redirect(f"/courses/{slug}", status=303)
            return
        screen = Screen(
            "grades.html",
            title=(self.t("gradebook.own_title"), view.course_title),
            data={"course_id": view.course_id, "shown": _shown(view)},
            groups=("gradebook",),
            scripts=("shell.js", "grades.js"),
            sheets=("pages.css", "gradebook.css"),
        )
        self.show(screen, grades=shape(view))


def _shown(view: GradesView) -> dict[str, Any]:
    """What is on the page of each grade and of the whole, by which the script sees that something has changed."""
    told = shape(view)
    grades = {one["item_id"]: [one["grade"]["state"], one["grade"]["points"]] for one in told["items"]}
    return {"percentage": told["percentage"], "grades": grades}


PAGES = [(r"/courses/([^/]+)/grades", GradesPage)]
