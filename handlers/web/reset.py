"""/reset and /invite: a password chosen by the link of a mail, anew or for the first time."""

from __future__ import annotations

from typing import ClassVar

from pydantic import ValidationError

from handlers.web.link_pages import OVER, LinkPage, faults_of
from lms_rt.contracts.base import field_errors
from lms_rt.contracts.verification import ResetDraft
from lms_rt.errors import FieldError, Refused


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
            await self.services.password_resets.confirm(draft)
        except ValidationError as error:
            await self._ask(tuple(field_errors(error)))
        except Refused as refused:
            if refused.code in OVER:
                self.show_over(self._again())
            else:
                await self._ask(faults_of(refused, "new_password"))
        else:
            self.redirect(f"{self.path}?done=1", status=303)

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
