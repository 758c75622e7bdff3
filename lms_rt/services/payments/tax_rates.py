"""Tax rates of countries, as those who see to payments set them. What a tax comes to, pricing says; orders copy it."""

from __future__ import annotations

from babel import Locale

from documents.base import Row
from documents.tax_rate import TaxRate
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of
from lms_rt.contracts.coupons import TaxRateDraft, TaxRateQuery, TaxRateView
from lms_rt.contracts.outbox import Deed, Write
from lms_rt.errors import Code, Refused
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.payments.plans import require_payment_rights
from lms_rt.services.relay import Relay

_CODE_LENGTH = 2


class TaxRates:
    """What can be done with tax rates."""

    def __init__(self, *, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay = clock, relay

    async def list(self, actor: Actor, query: TaxRateQuery) -> Page[TaxRateView]:
        """All rates, by country."""
        require_payment_rights(actor)
        rows, total = await TaxRate.page({}, skip=query.skip, limit=query.page_size)
        return page_of([_view(row) for row in rows], query, total)

    async def show(self, actor: Actor, country: str) -> TaxRateView:
        """The rate of a country."""
        require_payment_rights(actor)
        row = await TaxRate.find_row(country)
        if row is None:
            raise Refused(Code.NOT_FOUND)
        return _view(row)

    async def put(
        self, actor: Actor, country: str, draft: TaxRateDraft, *, expected_version: int | None = None
    ) -> tuple[TaxRateView, bool]:
        """Set the rate of a country; whether it had none before. What was ordered keeps the rate that it was made with."""
        require_payment_rights(actor)
        _refuse_unknown_country(country)
        fields = draft.model_dump()
        fields["basis_points"] = fields.pop("rate")

        async def step() -> tuple[TaxRateView, bool] | None:
            row = await TaxRate.find_row(country)
            version = 0 if row is None else int(row["version"])
            if row is not None or expected_version is not None:
                refuse_other_version(version, expected_version)
            before = None if row is None else {name: row.get(name) for name in fields}
            if row is not None and before == fields:
                return _view(row), False
            at = self._clock.now()
            deed = Deed(actor, "tax_rate.set", country, is_of_all=True)
            intents = deed.intents(Write(version + 1, at), before=before, after=fields)
            if not await TaxRate.upsert_at(country, version, fields, intents=intents, at=at):
                return None
            made = {"_id": country, "created_at": at, **(row or {}), **fields, "version": version + 1, "updated_at": at}
            return _view(made), row is None

        written = await until_written(step)
        await self._relay.hand_over(TaxRate, country)
        return written


def _refuse_unknown_country(country: str) -> None:
    """There is nothing under a path that names no country."""
    if len(country) != _CODE_LENGTH or not country.isalpha() or country not in Locale("en").territories:
        raise Refused(Code.NOT_FOUND)


def _view(row: Row) -> TaxRateView:
    return TaxRateView(
        country=row["_id"],
        tax_name=row["tax_name"],
        rate=row["basis_points"],
        is_included=row["is_included"],
        is_active=row["is_active"],
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
