"""Who is told that a webhook was switched off, and how much of its address. On both engines."""

from __future__ import annotations

import pytest

from config.settings import Settings
from documents.notification import Notification
from documents.user import User
from documents.webhook import Webhook
from lms_rt.contracts.outbox import Write
from lms_rt.services.webhook_notices import switched_off, telling_of
from lms_rt.storage.mongo import OpenDatabase
from tests.services.noticing import Noticing
from tests.services.school import ADMIN, OTHER_TEACHER, STUDENT, TEACHER


@pytest.fixture
async def noticing(database: OpenDatabase, settings: Settings) -> Noticing:
    made = Noticing(settings)
    await made.open()
    return made


async def told(noticing: Noticing, created_by: str) -> set[str]:
    """Those who hear that a webhook of this maker was switched off, told twice as after a crash."""
    now = noticing.clock.now()
    url = "https://hooks.example.org/services/T0/secret-path?key=secret-query"
    webhook = Webhook(id="whk_1", url=url, secret="x", created_by=created_by, created_at=now, updated_at=now)
    intent = switched_off(Write(2, now), webhook, "it answered 410")
    assert "secret-" not in str(intent)
    for _ in range(2):
        await telling_of(noticing.notifications)(intent["id"], intent["data"])
    rows = [row async for row in Notification.rows().find({})]
    assert len(rows) == len({row["user_id"] for row in rows})
    for row in rows:
        assert (row["data"]["url"], row["mail"]["data"]["url"]) == ("hooks.example.org", "hooks.example.org")
    return {row["user_id"] for row in rows}


async def change(user_id: str, **fields: object) -> None:
    await User.rows().update_one({"_id": user_id}, {"$set": fields})


async def test_its_maker_is_told_while_they_see_to_webhooks(noticing: Noticing) -> None:
    await change(TEACHER.user_id, permissions=["webhooks:manage"])
    assert await told(noticing, TEACHER.user_id) == {TEACHER.user_id}


@pytest.mark.parametrize(
    ("user_id", "fields"),
    [
        (TEACHER.user_id, {"permissions": []}),
        (TEACHER.user_id, {"permissions": ["webhooks:manage"], "is_active": False}),
        ("usr_gone", {}),
    ],
    ids=["who may not any more", "whose account is closed", "who is gone"],
)
async def test_else_those_are_told_who_see_to_webhooks_now(
    noticing: Noticing, user_id: str, fields: dict[str, object]
) -> None:
    if fields:
        await change(user_id, **fields)
    await change(OTHER_TEACHER.user_id, permissions=["webhooks:manage"])
    await change(STUDENT.user_id, permissions=["webhooks:manage"], is_active=False)
    assert await told(noticing, user_id) == {ADMIN.user_id, OTHER_TEACHER.user_id}
