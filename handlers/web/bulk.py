"""What teachers do in bulk: people by a table, a course copied, taken out and put in; and how far that is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from handlers.rest.access import needs
from handlers.rest.errors import status_of
from handlers.web.base import PageHandler, Screen, shape
from handlers.web.packed_tables import packed, unpacked
from handlers.web.teaching import TEACHERS, course_with_tab
from lms_rt.contracts.bulk import PeopleImportQuery, RunQuery
from lms_rt.errors import Code, Refused
from lms_rt.ids import new_id
from lms_rt.security.access.courses import teaches
from lms_rt.security.permissions import Permission
from lms_rt.security.rights import Reach

_SHEETS = ("pages.css", "teach.css")
_SHOWN = 20
_TYPED = frozenset({Code.VALIDATION_FAILED, Code.CONFLICT, Code.TOO_LARGE})
"""What the table itself is refused for."""


class CourseBulk(PageHandler):
    """/teach/courses/{id}/bulk: bring people in, copy the course, take it out; and the runs of that."""

    access = TEACHERS
    reach = Reach.TAUGHT

    async def get(self, course_id: str) -> None:
        """As far as the reader may."""
        await self._show(course_id)

    async def post(self, course_id: str) -> None:
        """Look through a table of people, or bring in those of the one that was looked through."""
        table = await asyncio.to_thread(self._table)
        query = PeopleImportQuery(dry_run=self.field("act") != "bring", invite=self.field("invite") == "on")
        bulk = self.services.bulk_enrollment
        try:
            if not query.dry_run:
                await bulk.begin(self.actor, course_id, table, query, filename=self.field("filename")[:200] or None)
                self.redirect(f"/teach/courses/{course_id}/bulk?done=begun", status=303)
                return
            report = await bulk.preview(self.actor, course_id, table, query)
        except Refused as refused:
            if refused.code not in _TYPED:
                raise
            self.set_status(status_of(refused.code))
            await self._show(course_id, fault=refused.fields[0].message if refused.fields else refused.detail)
            return
        carried = {
            "table": await asyncio.to_thread(packed, table),
            "filename": self._filename(),
            "invite": query.invite,
        }
        await self._show(course_id, report=shape(report), carried=carried)

    def _table(self) -> bytes:
        """The file that was chosen, or the one that was looked through before."""
        files = self.request.files.get("file") or []
        return files[0]["body"] if files else unpacked(self.get_body_argument("table", ""))

    def _filename(self) -> str:
        files = self.request.files.get("file") or []
        return str(files[0]["filename"])[-200:] if files else self.field("filename")[:200]

    async def _show(
        self,
        course_id: str,
        *,
        report: Mapping[str, Any] | None = None,
        carried: Mapping[str, Any] | None = None,
        fault: str = "",
    ) -> None:
        course, tabs = await course_with_tab(self, course_id, "bulk")
        listed = await self.services.import_runs.list(self.actor, RunQuery(course_id=course.id, page_size=_SHOWN))
        screen = Screen(
            "teach_bulk.html",
            title=(self.t("teach.tab_bulk"), course.title),
            data={"course_id": course.id},
            groups=("errors", "teach", "bulk"),
            scripts=("shell.js", "teach.js", "bulk.js"),
            sheets=_SHEETS,
        )
        may = {
            "copy": teaches(self.actor, course, Permission.COURSE_CREATE),
            "export": teaches(self.actor, course, Permission.COURSE_UPDATE),
        }
        self.show(
            screen, course=shape(course), tab="bulk", tabs=tabs, runs=_items(listed), may=may, once=new_id("req"),
            report=report, carried=carried or {}, fault=fault, is_begun=self.get_query_argument("done", "") == "begun",
        )  # fmt: skip


class CourseFromFile(PageHandler):
    """/teach/import: a course out of an archive."""

    access = needs("course:create")
    reach = Reach.SELF

    async def get(self) -> None:
        """The form, and the runs before."""
        query = RunQuery(kind="course_import", page_size=_SHOWN)
        listed = await self.services.import_runs.list(self.actor, query)
        screen = Screen(
            "teach_course_import.html",
            title=(self.t("bulk.import_title"),),
            groups=("errors", "teach", "bulk"),
            scripts=("shell.js", "bulk.js"),
            sheets=_SHEETS,
        )
        self.show(screen, runs=_items(listed), max_mb=self.services.settings.max_upload_mb)


def _items(listed: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shape(listed)["items"]
    return found


PAGES = [(r"/teach/courses/([^/]+)/bulk", CourseBulk), (r"/teach/import", CourseFromFile)]
