"""Coupons, as those who see to payments make and change them. Who may use one, and how uses are counted, is `coupon_uses.py`."""

from __future__ import annotations

from typing import Any

from documents.base import Row
from documents.coupon import Coupon
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of, refuse_changed_read_only
from lms_rt.contracts.coupons import AmountOffView, CouponChange, CouponDraft, CouponQuery, CouponView
from lms_rt.contracts.outbox import Deed, Write
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import derived_id, new_id
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.payments.coupon_uses import code_key_of
from lms_rt.services.payments.plans import course_ids_of, require_payment_rights
from lms_rt.services.relay import Relay


class Coupons:
    """What can be done with coupons."""

    def __init__(self, *, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay = clock, relay

    async def list(self, actor: Actor, query: CouponQuery) -> Page[CouponView]:
        """All coupons."""
        require_payment_rights(actor)
        which: Row = {} if query.is_active is None else {"is_active": query.is_active}
        if query.code is not None:
            which["code_key"] = code_key_of(query.code)
        rows, total = await Coupon.page(which, skip=query.skip, limit=query.page_size)
        return page_of([_view(row) for row in rows], query, total)

    async def show(self, actor: Actor, coupon_id: str) -> CouponView:
        """One coupon."""
        require_payment_rights(actor)
        return _view(await _require(coupon_id))

    async def create(self, actor: Actor, draft: CouponDraft, *, request_seed: str | None = None) -> CouponView:
        """A new coupon. A request that comes again with its seed meets its own work."""
        require_payment_rights(actor)
        wanted = {name: getattr(draft, name) for name in CouponDraft.model_fields}
        wanted["course_ids"] = await course_ids_of(draft.course_ids)
        wanted["amounts_off"] = {one.currency: one.amount for one in draft.amounts_off}
        _refuse_backwards(wanted)
        at = self._clock.now()
        coupon_id = new_id("cpn") if request_seed is None else derived_id("cpn", request_seed)
        fields = {name: value for name, value in wanted.items() if value is not None}
        intents = Deed(actor, "coupon.create", coupon_id, is_of_all=True).intents(Write(1, at), after=fields)
        fixed = {"code_key": code_key_of(draft.code), "uses": 0, "version": 1, "created_at": at, "updated_at": at}
        row = {"_id": coupon_id, **fields, **fixed, "outbox": intents, "outbox_at": at}
        if not await Coupon.add(row) and await Coupon.find_row(coupon_id) is None:
            raise invalid("code", "There is a coupon with this code.", "taken")
        await self._relay.hand_over(Coupon, coupon_id)
        return _view(await _require(coupon_id))

    async def change(
        self, actor: Actor, coupon_id: str, change: CouponChange, *, expected_version: int | None = None
    ) -> CouponView:
        """Change for whom and until when it holds. Orders that have it are not touched."""
        require_payment_rights(actor)
        given = change.given()
        if given.get("course_ids"):
            given["course_ids"] = await course_ids_of(given["course_ids"])

        async def step() -> CouponView | None:
            row = await _require(coupon_id)
            refuse_other_version(row["version"], expected_version)
            refuse_changed_read_only(change, _view(row))
            fields = {name: value for name, value in given.items() if row.get(name) != value}
            if not fields:
                return _view(row)
            _refuse_backwards({**row, **fields})
            at = self._clock.now()
            before = {name: row.get(name) for name in fields}
            deed = Deed(actor, "coupon.change", coupon_id, is_of_all=True)
            intents = deed.intents(Write(row["version"] + 1, at), before=before, after=fields)
            if not await Coupon.change_at(coupon_id, row["version"], fields, intents=intents, at=at):
                return None
            return _view(await _require(coupon_id))

        view = await until_written(step)
        await self._relay.hand_over(Coupon, coupon_id)
        return view


async def _require(coupon_id: str) -> Row:
    row = await Coupon.find_row(coupon_id)
    if row is None:
        raise Refused(Code.NOT_FOUND)
    return row


def _refuse_backwards(fields: dict[str, Any]) -> None:
    starts_at, ends_at = fields.get("starts_at"), fields.get("ends_at")
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        raise invalid("ends_at", "The end should be after the beginning.", "too_early")


def _view(row: Row) -> CouponView:
    return CouponView(
        id=row["_id"],
        code=row["code"],
        description=row.get("description") or "",
        percent_off=row.get("percent_off"),
        amounts_off=[
            AmountOffView(currency=currency, amount=amount)
            for currency, amount in sorted((row.get("amounts_off") or {}).items())
        ],
        course_ids=row.get("course_ids") or [],
        starts_at=row.get("starts_at"),
        ends_at=row.get("ends_at"),
        max_uses=row.get("max_uses"),
        max_uses_per_user=row.get("max_uses_per_user"),
        is_active=row["is_active"],
        uses=row.get("uses", 0),
        version=row["version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
