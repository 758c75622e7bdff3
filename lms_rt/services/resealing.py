"""Sealing anew what former keys sealed, so that they can be left out. Run at the console, after SECRET_KEY was changed."""

from __future__ import annotations

from dataclasses import dataclass

from documents.sealed import SEALED_PLACES, SealedPlace
from lms_rt.security.keyring import Keyring
from lms_rt.security.sealing import Sealer, Unsealable

PAGE = 200


@dataclass(slots=True)
class Resealed:
    """How many secrets of a purpose were sealed anew, and how many no key opens any more."""

    purpose: str
    anew: int = 0
    lost: int = 0


class Resealing:
    """Walks through all sealed secrets. It may run beside everything else, and again: then nothing is left to do."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys

    async def run(self) -> list[Resealed]:
        """Seal anew whatever a former key sealed."""
        return [await self._reseal(place) for place in SEALED_PLACES]

    async def _reseal(self, place: SealedPlace) -> Resealed:
        sealer, done, after = Sealer(self._keys, purpose=place.purpose), Resealed(place.purpose), ""
        while page := await place.page(after=after, limit=PAGE):
            for owner, sealed in page:
                try:
                    fresh = sealer.resealed(sealed, owner=owner)
                except Unsealable:
                    done.lost += 1
                    continue
                if fresh is not None and await place.replace(owner, sealed, fresh):
                    done.anew += 1
            after = page[-1][0]
        return done
