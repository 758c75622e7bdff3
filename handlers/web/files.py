"""/files: one's own files, what room they take, and uploading more. Deleting works without scripts, uploading needs them."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from handlers.rest.access import SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.files import FileQuery
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach

PAGE_SIZE = 20
_SHEETS = ("pages.css", "files.css")
_TYPES = ("image", "video", "audio", "document", "archive", "other")


class FilesPage(PageHandler):
    """/files."""

    access = SIGNED_IN
    reach, form_reach = Reach.SELF, Reach.LEARNING

    async def get(self) -> None:
        """The newest first; the kind and the page stand in the address."""
        await self._show()

    async def post(self) -> None:
        """Delete one. One that is in use stays, and it is said why."""
        try:
            await self.services.files.remove(self.actor, self.field("remove"))
        except Refused as refused:
            if refused.code is not Code.CONFLICT:
                raise
            self.set_status(409)
            await self._show(is_in_use=True)
        else:
            self.redirect(self.with_query(done="removed"), status=303)

    async def _show(self, *, is_in_use: bool = False) -> None:
        files, settings = self.services.files, self.services.settings
        chosen = self.get_query_argument("file_type", "")
        listed = await files.list_own(self.actor, self._query(chosen))
        title = self.t("files.title")
        screen = Screen(
            "files.html",
            title=(f"{self.t('client.error_title')} {title}",) if is_in_use else (title,),
            groups=("files", "errors", "stats"),
            scripts=("shell.js", "files.js"),
            sheets=_SHEETS,
        )
        self.show(
            screen,
            listed=shape(listed),
            quota=await files.quota(self.actor),
            types=_TYPES,
            chosen=chosen if chosen in _TYPES else "",
            accepted=[f".{one}" for one in settings.allowed_upload_extensions],
            limit_bytes=settings.max_upload_mb << 20,
            is_in_use=is_in_use,
            is_removed=self.get_query_argument("done", "") == "removed",
        )

    def _query(self, chosen: str) -> FileQuery:
        """The page of the address; what cannot be read counts as not said."""
        asked: dict[str, Any] = {"page_size": PAGE_SIZE, "file_type": chosen if chosen in _TYPES else None}
        try:
            return FileQuery.model_validate({**asked, "page": self.get_query_argument("page", "1")}, strict=False)
        except ValidationError:
            return FileQuery.model_validate(asked)


PAGES = [(r"/files/?", FilesPage)]
