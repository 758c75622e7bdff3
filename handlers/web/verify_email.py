"""/verify-email: an address is proved by the link of a mail, or another such mail is asked for."""

from __future__ import annotations

from pydantic import ValidationError

from handlers.web.link_pages import OVER, LinkPage, faults_of
from handlers.web.navigation import home_path_of
from lms_rt.contracts.verification import VerificationDraft, VerificationRequest
from lms_rt.errors import Refused


class VerifyEmailPage(LinkPage):
    """/verify-email."""

    async def get(self) -> None:
        """The button of a link; without a link the question where to send one; or what became of it."""
        if self.get_query_argument("done", "") == "1":
            self.show_end(self.t("recovery.verified_title"), self.t("recovery.verified"), onward=self._onward())
        elif self.get_query_argument("sent", "") == "1":
            self.show_end(self.t("recovery.sent_title"), self.t("recovery.verify_sent"))
        elif self.token:
            await self._offer()
        else:
            self._ask()

    async def post(self) -> None:
        """Prove the address, or have a link sent."""
        if self.token:
            await self._prove()
            return
        email = self.field("email").strip()
        try:
            await self.services.verification.ask(self.actor, VerificationRequest(email=email))
        except ValidationError:  # longer than any address: answered like one that nobody has
            self.redirect("/verify-email?sent=1", status=303)
        except Refused as refused:
            self._ask(email, refused)
        else:
            self.redirect("/verify-email?sent=1", status=303)

    async def _offer(self) -> None:
        try:
            await self.services.verification.look(self.token)
        except Refused as refused:
            self._over(refused)
        else:
            self.show_form("verify_email.html", self.t("recovery.verify"))

    async def _prove(self) -> None:
        try:
            await self.services.verification.confirm(VerificationDraft(token=self.token))
        except Refused as refused:
            self._over(refused)
        else:
            self.redirect("/verify-email?done=1", status=303)

    def _ask(self, email: str = "", refused: Refused | None = None) -> None:
        faults = faults_of(refused, "email") if refused else ()
        self.show_form("verify_ask.html", self.t("recovery.verify"), faults, email=email)

    def _over(self, refused: Refused) -> None:
        if refused.code not in OVER:
            raise refused
        self.show_over(("/verify-email", self.t("recovery.again")))

    def _onward(self) -> tuple[str, str]:
        if self.actor.is_stranger:
            return "/signin", self.t("accounts.sign_in")
        return home_path_of(self.actor), self.t("recovery.go_on")


PAGES = [(r"/verify-email", VerifyEmailPage)]
