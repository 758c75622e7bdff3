"""Plans: shown to everybody, made and changed by who sees to payments. Who has subscribed keeps price and courses, and gets new ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from documents.base import Row
from documents.course import Course
from documents.plan import Plan
from documents.plan_subscription import PlanSubscription
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.base import Page, page_of, refuse_changed_read_only
from lms_rt.contracts.outbox import Deed, Intent, Write, effect
from lms_rt.contracts.plans import PlanChange, PlanDraft, PlanQuery, PlanView
from lms_rt.errors import Code, Refused, invalid
from lms_rt.ids import derived_id, new_id
from lms_rt.security.access.courses import is_visible
from lms_rt.security.permissions import Permission
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.payments.plan_views import plan_view
from lms_rt.services.relay import Relay

OPENED_EFFECT = "plans.opened"


class Plans:
    """What can be done with plans."""

    def __init__(self, *, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay = clock, relay
        relay.register_effect(OPENED_EFFECT, _open_more)

    async def list(self, actor: Actor, query: PlanQuery) -> Page[PlanView]:
        """Plans; those that are over are shown to who sees to payments."""
        which: Row = {}
        if not actor.has_permission(Permission.PAYMENTS_MANAGE):
            if query.is_active is False:
                return page_of([], query, 0)
            which["is_active"] = True
        elif query.is_active is not None:
            which["is_active"] = query.is_active
        if query.currency is not None:
            which["currency"] = query.currency
        if query.course_id is not None:
            which["$or"] = [{"is_for_all": True}, {"course_ids": await _shown_id(actor, query.course_id)}]
        rows, total = await Plan.page(which, skip=query.skip, limit=query.page_size)
        return page_of([plan_view(row) for row in rows], query, total)

    async def show(self, actor: Actor, plan_id: str) -> PlanView:
        """One plan."""
        row = await Plan.find_row(plan_id)
        if row is None or not (row["is_active"] or actor.has_permission(Permission.PAYMENTS_MANAGE)):
            raise Refused(Code.NOT_FOUND)
        return plan_view(row)

    async def create(self, actor: Actor, draft: PlanDraft, *, request_seed: str | None = None) -> PlanView:
        """A new plan. A request that comes again with its seed meets its own work."""
        require_payment_rights(actor)
        at = self._clock.now()
        plan_id = new_id("pln") if request_seed is None else derived_id("pln", request_seed)
        fields = await _stored(draft.model_dump())
        intents = Deed(actor, "plan.create", plan_id, is_of_all=True).intents(Write(1, at), after=fields)
        row = {"_id": plan_id, **fields, "version": 1, "created_at": at, "updated_at": at}
        await Plan.add({**row, "outbox": intents, "outbox_at": at})
        await self._relay.hand_over(Plan, plan_id)
        return plan_view(await Plan.find_row(plan_id) or row)

    async def change(
        self, actor: Actor, plan_id: str, change: PlanChange, *, expected_version: int | None = None
    ) -> PlanView:
        """Change a plan, for who subscribes from now on."""
        require_payment_rights(actor)
        given = await _stored(change.given())

        async def step() -> PlanView | None:
            row = await Plan.find_row(plan_id)
            if row is None:
                raise Refused(Code.NOT_FOUND)
            refuse_other_version(row["version"], expected_version)
            refuse_changed_read_only(change, plan_view(row))
            fields = {name: value for name, value in given.items() if row.get(name) != value}
            if not fields:
                return plan_view(row)
            at = self._clock.now()
            before = {name: row.get(name) for name in fields}
            deed = Deed(actor, "plan.change", plan_id, is_of_all=True)
            write = Write(row["version"] + 1, at)
            intents = [*deed.intents(write, before=before, after=fields), *_opened(write, row, fields)]
            if not await Plan.change_at(plan_id, row["version"], fields, intents=intents, at=at):
                return None
            return plan_view({**row, **fields, "version": row["version"] + 1, "updated_at": at})

        view = await until_written(step)
        await self._relay.hand_over(Plan, plan_id)
        return view


def _opened(write: Write, row: Row, fields: dict[str, Any]) -> list[Intent]:
    """Courses that a plan opens from now on are opened to who has subscribed, too; what they had, they keep."""
    more = sorted(set(fields.get("course_ids", ())) - set(row.get("course_ids") or ()))
    is_for_all = bool(fields.get("is_for_all"))
    if not (more or is_for_all):
        return []
    return [effect(write, OPENED_EFFECT, {"plan_id": row["_id"], "course_ids": more, "is_for_all": is_for_all})]


async def _open_more(_: str, data: dict[str, Any]) -> None:
    await PlanSubscription.open_more(data["plan_id"], data["course_ids"], is_for_all=data["is_for_all"])


def require_payment_rights(actor: Actor) -> None:
    """Refuse who may not see to payments."""
    if not actor.has_permission(Permission.PAYMENTS_MANAGE):
        raise Refused(Code.FORBIDDEN)


async def course_ids_of(names: Sequence[str]) -> list[str]:
    """The ids of the courses of these ids or slugs, each once; 422 for what is no course's."""
    known = await Course.ids_by_name(names)
    if unknown := [name for name in names if name not in known]:
        raise invalid("course_ids", f"There is no course {unknown[0]}.", "unknown")
    return list(dict.fromkeys(known[name] for name in names))


async def _shown_id(actor: Actor, name: str) -> str:
    """The id of the course of this id or slug; of one that the actor may not know of, no more than was said."""
    course = await Course.find_head(name)
    return name if course is None or not is_visible(actor, course) else course.id


async def _stored(fields: dict[str, Any]) -> dict[str, Any]:
    """As it is stored: `"all"` is a mark of its own."""
    if "course_ids" not in fields:
        return fields
    is_for_all = fields["course_ids"] == "all"
    course_ids = [] if is_for_all else await course_ids_of(fields["course_ids"])
    return {**fields, "course_ids": course_ids, "is_for_all": is_for_all}
