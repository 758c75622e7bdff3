"""/sandbox/checkout/{id}: the page of a gateway that moves no money, for trying and for demonstrations. Works without scripts."""

from __future__ import annotations

from urllib.parse import urlsplit

from handlers.rest.access import SIGNED_IN
from handlers.web.base import PageHandler, Screen, shape
from lms_rt.contracts.sandbox import SandboxAct, SandboxCheckoutView
from lms_rt.errors import Code, Refused
from lms_rt.security.rights import Reach

_SHEETS = ("pages.css",)
_OVER = ("completed", "active", "past_due")


class SandboxCheckoutPage(PageHandler):
    """What is to be paid, and the four things that can happen. Who has paid goes where a gateway would send them."""

    access = SIGNED_IN
    reach = Reach.OWN
    is_own_alone = True

    async def get(self, checkout_id: str) -> None:
        """The checkout as it stands."""
        self._show(await self.services.sandbox_desk.show(self.actor, checkout_id))

    async def post(self, checkout_id: str) -> None:
        """Pay, be declined, pay later, or leave it."""
        wished = self.field("act")
        if wished not in set(SandboxAct):
            raise Refused(Code.NOT_FOUND)
        act = SandboxAct(wished)
        checkout = await self.services.sandbox_desk.act(self.actor, checkout_id, act)
        if act is SandboxAct.DECLINE and checkout.is_declined:
            self.set_status(409)
            self._show(checkout)
            return
        self.redirect(_path(checkout.cancel_url if act is SandboxAct.CANCEL else checkout.return_url), status=303)

    def _show(self, checkout: SandboxCheckoutView) -> None:
        screen = Screen("sandbox_checkout.html", title=(self.t("sandbox.title"),), sheets=_SHEETS)
        is_open = checkout.state == "pending" and not checkout.is_awaited
        back = _path(checkout.return_url)
        self.show(screen, checkout=shape(checkout), is_open=is_open, is_paid=checkout.state in _OVER, back=back)


def _path(url: str) -> str:
    """The page of ours that an address of ours names, whatever name we are called by at the moment."""
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")


PAGES = [(r"/sandbox/checkout/([\w-]{1,160})", SandboxCheckoutPage)]
