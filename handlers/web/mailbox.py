"""The mailbox of development: mails that were kept instead of sent. Only on the embedded store without a mail server.

They hold links that open accounts: they are shown to a browser on this machine, and to administrators.
"""

from __future__ import annotations

from ipaddress import ip_address

from pydantic import ValidationError
from tornado.httputil import HTTPServerRequest

from handlers.rest.access import Access
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.base import PageQuery
from lms_rt.errors import Code, Refused

MAIL_CONTENT_SECURITY_POLICY = "sandbox allow-popups; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Mails style their elements; nothing of a mail runs, asks or is asked for."""
_SHEETS = ("pages.css",)
_PASSED_ON = ("forwarded", "x-forwarded-", "x-real-ip", "via")


class MailboxHandler(PageHandler):
    """What its pages share."""

    access = Access("a browser on this machine, or an administrator", is_public=True)

    async def prepare(self) -> None:
        """To anybody else there is no such page."""
        await super().prepare()
        if not self._finished and not self.actor.is_admin and not _is_from_here(self.request):
            raise Refused(Code.NOT_FOUND)


class MailboxPage(MailboxHandler):
    """/dev/mailbox."""

    async def get(self) -> None:
        """The newest mails."""
        try:
            query = PageQuery.model_validate({"page": self.get_query_argument("page", "1")})
        except ValidationError:
            query = PageQuery()
        listed = await self.services.mails.kept(query)
        screen = Screen("mailbox.html", title=(self.t("mails.mailbox"),), sheets=_SHEETS)
        self.show(screen, listed=shape(listed))


class MailPage(MailboxHandler):
    """/dev/mailbox/{message id}."""

    async def get(self, message_id: str) -> None:
        """One mail as text, with its envelope."""
        mail = shape(await self.services.mails.kept_one(message_id))
        self.show(Screen("mailbox_mail.html", title=(mail["subject"],), sheets=_SHEETS), mail=mail)


class MailHtml(MailboxHandler):
    """/dev/mailbox/{message id}/html: the mail itself, as a mail program would show it."""

    async def get(self, message_id: str) -> None:
        """Its HTML and nothing else, shut in."""
        mail = await self.services.mails.kept_one(message_id)
        self.set_header("Content-Security-Policy", MAIL_CONTENT_SECURITY_POLICY)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish(mail.html)


def _is_from_here(request: HTTPServerRequest) -> bool:
    """Does a browser on this machine ask, under a name of this machine?

    Behind a proxy on this machine that nobody told us of (`TRUSTED_PROXIES`) all the world comes from here: such a request
    is known by what the proxy writes into it, or by the name that the world has for us.
    """
    is_passed_on = any(name.lower().startswith(_PASSED_ON) for name in request.headers)
    name = request.host_name.strip("[]").rstrip(".").lower()
    is_local_name = name == "localhost" or name.endswith(".localhost") or _is_loopback(name)
    return not is_passed_on and is_local_name and _is_loopback(str(request.remote_ip))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


PAGES = [
    (r"/dev/mailbox/?", MailboxPage),
    (r"/dev/mailbox/([\w.@-]{1,200})", MailPage),
    (r"/dev/mailbox/([\w.@-]{1,200})/html", MailHtml),
]
