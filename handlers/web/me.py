"""/me: one's own profile, and whether the address is proved. Password, sign-ins and data are `security.py`'s."""

from __future__ import annotations

from functools import cache
from typing import ClassVar
from zoneinfo import available_timezones

from handlers.rest.access import SIGNED_IN
from handlers.rest.errors import status_of
from handlers.web.base import PageHandler, Screen
from lms_rt.contracts.accounts import ProfileChange, UserView
from lms_rt.contracts.base import read_model
from lms_rt.contracts.verification import VerificationRequest
from lms_rt.errors import Code, FieldError, Refused
from lms_rt.security.rights import Reach

_SHEETS = ("pages.css",)
_EASTERN = "-u-nu-arab"
_ELSEWHERE = ("Etc/", "SystemV/", "US/", "posix", "right")
_DONE = frozenset({"saved", "sent"})


@cache
def zone_names() -> tuple[str, ...]:
    """The time zones to choose from, by the places that they are named after."""
    places = sorted(name for name in available_timezones() if "/" in name and not name.startswith(_ELSEWHERE))
    return ("UTC", *places)


def looks_of(locale: str) -> tuple[str, str]:
    """The language and the digits that a locale stands for."""
    language = "ar" if locale.partition("-")[0] == "ar" else "en"
    return language, "arab" if language == "ar" and "nu-arab" in locale else "latn"


def locale_of(locale: str, language: str, digits: str) -> str:
    """The locale with another language or other digits; one that says the same already is left as it is."""
    wished = (language, digits if language == "ar" else "latn")
    if looks_of(locale) == wished:
        return locale
    plain = locale.partition("-u-")[0] if looks_of(locale)[0] == language else language
    return plain + (_EASTERN if wished[1] == "arab" else "")


class MePage(PageHandler):
    """/me."""

    access = SIGNED_IN
    reach = Reach.SELF

    async def get(self) -> None:
        """The profile as it is stored."""
        done = self.get_query_argument("done", "")
        self._show(await self.services.accounts.me(self.actor), done=done if done in _DONE else "")

    async def post(self) -> None:
        """Take the form. What is typed stays in it when it is refused, also because somebody else was faster."""
        user = await self.services.accounts.me(self.actor)
        digits = "arab" if self.field("digits") == "arab" else "latn"
        locale = locale_of(user.locale, "ar" if self.field("language") == "ar" else "en", digits)
        values = {"full_name": self.field("full_name"), "locale": locale, "timezone": self.field("timezone")}
        version = self.field("version")
        expected = int(version) if version.isdecimal() and len(version) <= 9 else 0
        try:
            change = read_model(ProfileChange, values)
            saved = await self.services.accounts.update_me(self.actor, change, expected_version=expected)
        except Refused as refused:
            if refused.code not in {Code.VALIDATION_FAILED, Code.VERSION_MISMATCH}:
                raise
            self.set_status(422 if refused.fields else status_of(refused.code))
            faults = refused.fields or (FieldError("full_name", "", refused.code.code),)
            self._show(user.model_copy(update=values), faults=tuple(faults))
        else:
            self._adopt(saved)
            self.redirect("/me?done=saved", status=303)

    def _adopt(self, user: UserView) -> None:
        """Let this browser show pages as the profile now says."""
        language, digits = looks_of(user.locale)
        for name, value in (("lms_lang", language), ("lms_digits", digits), ("lms_zone", user.timezone)):
            self.keep(name, value)

    def _show(self, user: UserView, *, done: str = "", faults: tuple[FieldError, ...] = ()) -> None:
        title = self.t("me.title")
        parts = (f"{self.t('client.error_title')} {title}",) if faults else (title,)
        language, digits = looks_of(user.locale)
        zones = zone_names()
        self.show(
            Screen("me.html", title=parts, sheets=_SHEETS),
            user=user,
            chosen_language=language,
            chosen_digits=digits,
            zones=[(name, name) for name in (zones if user.timezone in zones else (user.timezone, *zones))],
            done=done,
            errors=[(fault.field, self._words_of(fault)) for fault in faults],
        )

    def _words_of(self, fault: FieldError) -> str:
        key = f"errors.{fault.code}"
        return self.t(key) if self.t.knows(key) else fault.message


class ConfirmAddressPage(PageHandler):
    """/me/address: the button that has the link sent again."""

    access = SIGNED_IN
    reach = Reach.SELF
    limit: ClassVar[str] = "auth"

    def get(self) -> None:
        """An address that somebody typed or reloaded."""
        self.redirect("/me", status=303)

    async def post(self) -> None:
        """To one's own address; one that is proved is sent nothing."""
        await self.services.verification.ask(self.actor, VerificationRequest())
        self.redirect("/me?done=sent", status=303)


PAGES = [(r"/me/?", MePage), (r"/me/address", ConfirmAddressPage)]
