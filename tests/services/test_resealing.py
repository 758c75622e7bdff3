"""After a change of the key: sealed secrets go over to the new one, whoever writes beside it, and none is lost."""

from __future__ import annotations

import pytest

from documents.sealed import SEALED_PLACES, SealedPlace
from documents.user import User
from documents.webhook import Webhook
from lms_rt.security.keyring import Keyring
from lms_rt.security.sealing import Sealer
from lms_rt.services import resealing
from lms_rt.services.resealing import Resealed, Resealing
from tests.services.people import People

OLD, NEW = "old-" * 10, "new-" * 10
BEFORE, BOTH, AFTER = Keyring(OLD), Keyring(NEW, (OLD,)), Keyring(NEW)


async def seal(place: SealedPlace, owner: str, keys: Keyring) -> None:
    sealed = Sealer(keys, purpose=place.purpose).seal(f"secret of {owner}", owner=owner)
    await place.document.rows().update_one({"_id": owner}, {"$set": {place.path: sealed}}, upsert=True)


async def secret(place: SealedPlace, owner: str, keys: Keyring) -> str:
    [(_, sealed)] = [row for row in await place.page(after="", limit=100) if row[0] == owner]
    return Sealer(keys, purpose=place.purpose).unseal(sealed, owner=owner)


async def test_all_that_a_former_key_sealed_is_sealed_anew(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resealing, "PAGE", 2)
    mona = (await people.join()).user.id
    webhooks, apps, calendars = SEALED_PLACES
    owners = [f"whk_{number}" for number in range(5)]
    for owner in owners:
        await seal(webhooks, owner, BEFORE)
    for place in (apps, calendars):
        await seal(place, mona, BEFORE)
    await User.rows().update_one({"_id": (await people.join("o@example.org")).user.id}, {"$set": {"mfa.secret": ""}})
    assert await Resealing(BOTH).run() == [
        Resealed("webhooks", anew=5),
        Resealed("mfa", anew=1),
        Resealed("calendar", anew=1),
    ]
    assert [await secret(webhooks, owner, AFTER) for owner in owners] == [f"secret of {owner}" for owner in owners]
    assert [await secret(place, mona, AFTER) for place in (apps, calendars)] == [f"secret of {mona}"] * 2
    assert await Resealing(BOTH).run() == [Resealed("webhooks"), Resealed("mfa"), Resealed("calendar")]


async def test_what_no_key_opens_is_told_and_left(people: People) -> None:
    assert people
    webhooks, *_ = SEALED_PLACES
    await seal(webhooks, "whk_1", Keyring("lost" * 10))
    await seal(webhooks, "whk_2", BEFORE)
    assert (await Resealing(BOTH).run())[0] == Resealed("webhooks", anew=1, lost=1)
    assert await secret(webhooks, "whk_1", Keyring("lost" * 10)) == "secret of whk_1"


async def test_a_secret_that_is_changed_meanwhile_stays_as_it_was_changed(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert people
    webhooks, *_ = SEALED_PLACES
    await seal(webhooks, "whk_1", BEFORE)
    resealed = Sealer.resealed

    def change_meanwhile(self: Sealer, sealed: str, *, owner: str) -> str | None:
        changed.append(self.seal("another", owner=owner))
        return resealed(self, sealed, owner=owner)

    changed: list[str] = []
    monkeypatch.setattr(Sealer, "resealed", change_meanwhile)
    replace = SealedPlace.replace

    async def replace_late(self: SealedPlace, document_id: str, old: str, new: str) -> bool:
        await Webhook.rows().update_one({"_id": document_id}, {"$set": {"secret": changed[0]}})
        return await replace(self, document_id, old, new)

    monkeypatch.setattr(SealedPlace, "replace", replace_late)
    assert (await Resealing(BOTH).run())[0] == Resealed("webhooks")
    assert await secret(webhooks, "whk_1", AFTER) == "another"
