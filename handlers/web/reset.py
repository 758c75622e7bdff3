"""/reset and /invite: a password chosen by the link of a mail, anew or for the first time."""

from __future__ import annotations

from typing import ClassVar

from pydantic import ValidationError

from handlers.rest.session_cookies import cookie_names, device_cookie
from handlers.web.link_pages import OVER, LinkPage, faults_of
from lms_rt.contracts.base import field_errors
from lms_rt.contracts.verification import ResetDraft
from lms_rt.errors import FieldError, Refused
from lms_rt.services.password_resets import Owner


class ResetPage(LinkPage):
    """/reset."""

    path: ClassVar[str] = "/reset"

    async def get(self) -> None:
        """The question, or that it is done, or that the link is over."""
        if self.get_query_argument("done", "") == "1":
            self.show_end(self.t("recovery.done_title"), self.t("recovery.done"), onward=self._sign_in())
            return
        await self._ask()

    async def post(self) -> None:
        """Take the new password, or ask again."""
        try:
            draft = ResetDraft(token=self.token, new_password=self.field("new_password"))
            owner = await self.services.password_resets.confirm(draft)
        except ValidationError as error:
            await self._ask(tuple(field_errors(error)))
        except Refused as refused:
            if refused.code in OVER:
                self.show_over(self._again())
            else:
                await self._ask(faults_of(refused, "new_password"))
        else:
            if owner is not None:
                self._keep_known(owner)
            self.redirect(f"{self.path}?done=1", status=303)

    def _keep_known(self, owner: Owner) -> None:
        """Who guesses from elsewhere, and goes on guessing, keeps nobody out of the browser in which they answered a mail."""
        settings = self.services.settings
        mark = self.get_cookie(cookie_names(settings).device) or ""
        renewed = self.services.device_marks.renewed(mark, owner.user_id, since_ms=owner.marks_since_ms)
        self.write_cookie(device_cookie(settings, renewed))

    async def _ask(self, errors: tuple[FieldError, ...] = ()) -> None:
        try:
            least = await self.services.password_resets.look(self.token)
        except Refused as refused:
            if refused.code not in OVER:
                raise
            self.show_over(self._again())
        else:
            self.show_form("reset.html", self.heading, errors, path=self.path, least=least, words=self.words)

    @property
    def heading(self) -> str:
        """What is asked."""
        return self.t("recovery.choose")

    @property
    def words(self) -> str:
        """What comes of it."""
        return self.t("recovery.choose_words")

    def _again(self) -> tuple[str, str] | None:
        return "/forgot", self.t("recovery.again")

    def _sign_in(self) -> tuple[str, str]:
        return "/signin", self.t("accounts.sign_in")


class InvitePage(ResetPage):
    """/invite: the same for somebody whose account the school has made."""

    path = "/invite"

    @property
    def heading(self) -> str:
        """What is asked."""
        return self.t("recovery.welcome")

    @property
    def words(self) -> str:
        """What comes of it."""
        return self.t("recovery.welcome_words")


PAGES = [(r"/reset", ResetPage), (r"/invite", InvitePage)]
