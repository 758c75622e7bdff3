"""/forgot: a link to choose a new password is sent. What the page says does not tell whether there is an account."""

from __future__ import annotations

from handlers.web.link_pages import LinkPage, faults_of
from lms_rt.errors import Refused


class ForgotPage(LinkPage):
    """/forgot."""

    def get(self) -> None:
        """The question, or that it was heard."""
        if self.get_query_argument("sent", "") == "1":
            self.show_end(self.t("recovery.sent_title"), self.t("recovery.sent"), onward=self._sign_in())
        else:
            self.show_form("forgot.html", self.t("recovery.forgot"), email="")

    async def post(self) -> None:
        """Have the link sent."""
        email = self.field("email").strip()
        try:
            await self.services.password_resets.ask(email)
        except Refused as refused:
            self.show_form("forgot.html", self.t("recovery.forgot"), faults_of(refused, "email"), email=email)
        else:
            self.redirect("/forgot?sent=1", status=303)

    def _sign_in(self) -> tuple[str, str]:
        return "/signin", self.t("accounts.sign_in")


PAGES = [(r"/forgot", ForgotPage)]
