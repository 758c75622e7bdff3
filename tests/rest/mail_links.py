"""A school with a mail server, and somebody who follows the links of its mails as they stand in them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx

from config.settings_runtime import adopt
from documents import DOCUMENTS
from documents.one_time import OneTime
from tests.clients import Visitor
from tests.house import PASSWORD
from tests.workers.mail_school import MailSchool

NEW_PASSWORD = "the lake in october 7"
_NUMBERS = itertools.count(1)
_LINK = re.compile(r"https://lms\.example(/[\w-]+)\?token=([\w-]+)")


def new_address() -> str:
    """An address that nobody has."""
    return f"link{next(_NUMBERS)}@example.org"


async def link(school: MailSchool, address: str, page: str) -> str:
    """The token of the last link to this page that came to the address, once all mails are sent."""
    await school.work()
    found = [
        token for mail in school.place.to(address) for path, token in _LINK.findall(mail.body("plain")) if path == page
    ]
    assert found, f"no link to {page} came to {address}: {subjects(school, address)}"
    return str(found[-1])


def subjects(school: MailSchool, address: str) -> list[str]:
    """What came to an address, by its subjects."""
    return [str(mail.message["Subject"]) for mail in school.place.to(address)]


async def joined(school: MailSchool, address: str, password: str = PASSWORD) -> Visitor:
    """Somebody new with this address, signed in."""
    somebody = await school.house.visitor()
    await somebody.register(address, password, "Lina Link")
    return somebody


async def sign_in(school: MailSchool, address: str, password: str) -> httpx.Response:
    """A try to sign in, by somebody who is not signed in."""
    visitor = await school.house.visitor()
    return await visitor.call("POST", "/auth/login", json={"email": address, "password": password})


async def post(school: MailSchool, path: str, **body: Any) -> httpx.Response:
    """One request of a stranger; what it asks for is done when this returns."""
    visitor = await school.house.visitor()
    reply = await visitor.call("POST", path, json=body)
    await school.house.services.later.settled()
    return reply


def code_of(reply: httpx.Response) -> tuple[int, str]:
    """Status and code of a refusal."""
    return reply.status_code, str(reply.json()["code"])


async def let_time_pass(school: MailSchool, user_id: str, minutes: float) -> None:
    """Let the links of somebody be so much older."""
    async for row in OneTime.rows().find({"user_id": user_id}):
        moved = {"expires_at": row["expires_at"] - timedelta(minutes=minutes)}
        await OneTime.rows().update_one({"_id": row["_id"]}, {"$set": moved})


async def places_of(text: str) -> list[str]:
    """The collections that hold this text anywhere."""
    return [
        document.Settings.name
        for document in DOCUMENTS
        if [row async for row in document.rows().find({}) if text in str(row)]
    ]


@contextmanager
def changed(school: MailSchool, **values: Any) -> Iterator[None]:
    """The school with other settings, as an administrator changes them while it runs."""
    settings = school.house.services.settings
    before = {name: getattr(settings, name) for name in values}
    adopt(settings, values)
    try:
        yield
    finally:
        adopt(settings, before)
