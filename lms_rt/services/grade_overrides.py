"""Grades by hand: what a teacher says instead of what was worked out, always with a reason, and with what was said before."""

from __future__ import annotations

from functools import partial

from documents.base import Row
from documents.grade_override import TOTAL, GradeOverride, key_of
from lms_rt.clock import Clock
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.channels import course_staff_channel, user_channel
from lms_rt.contracts.gradebook import OverrideDraft, OverrideView
from lms_rt.contracts.outbox import Write, audit, event
from lms_rt.errors import Code, Refused, invalid
from lms_rt.security.access.courses import require_taught_course
from lms_rt.security.permissions import Permission
from lms_rt.services.contended import until_written
from lms_rt.services.course_edits import refuse_other_version
from lms_rt.services.gradebook import learner_in
from lms_rt.services.gradebook_facts import gathered
from lms_rt.services.gradebook_views import override_view
from lms_rt.services.relay import Relay

MOST_TIMES = 2
"""By hand somebody may get so many times the points of an item: more is a slip of the pen."""
_WHOLE = 10_000


class GradeOverrides:
    """Sets grades by hand and takes them back."""

    def __init__(self, *, clock: Clock, relay: Relay) -> None:
        self._clock, self._relay = clock, relay

    async def set(
        self,
        actor: Actor,
        place: tuple[str, str, str],
        draft: OverrideDraft,
        *,
        expected_version: int | None = None,
    ) -> OverrideView:
        """Say what a grade is, or that it does not count. `place` is course, student and item (or "total")."""
        place = await self._found(actor, place, points=draft.points)
        said = {"points": draft.points, "is_excused": draft.is_excused, "reason": draft.reason}
        return override_view(await self._say(actor, place, said, expected_version))

    async def take_back(
        self, actor: Actor, place: tuple[str, str, str], reason: str, *, expected_version: int | None = None
    ) -> None:
        """Let count again what was worked out. 404 where nothing is said by hand."""
        place = await self._found(actor, place)
        row = await GradeOverride.find_row(key_of(*place))
        if row is None or not _says(row):
            raise Refused(Code.NOT_FOUND)
        await self._say(actor, place, {"points": None, "is_excused": False, "reason": reason}, expected_version)

    async def _found(
        self, actor: Actor, place: tuple[str, str, str], *, points: int | None = None
    ) -> tuple[str, str, str]:
        """The place with the course's own id, when there is such a student and such an item."""
        course_id, student_id, item_id = place
        course = await require_taught_course(actor, course_id, Permission.QUIZZES_MANAGE)
        facts = await gathered(course.id, now_ms=self._clock.now_ms(), whose=student_id)
        learner_in(facts)
        most = {one.id: one.item.points for one in facts.items} | {TOTAL: _WHOLE}
        if item_id not in most:
            raise Refused(Code.NOT_FOUND)
        if points is not None and points > MOST_TIMES * most[item_id]:
            raise invalid("points", "That is more than twice what there is to be had.", "too_many")
        return course.id, student_id, item_id

    async def _say(self, actor: Actor, place: tuple[str, str, str], said: Row, expected_version: int | None) -> Row:
        key = key_of(*place)
        row = await until_written(partial(self._step, actor, place, said, expected_version))
        await self._relay.hand_over(GradeOverride, key)
        return row

    async def _step(
        self, actor: Actor, place: tuple[str, str, str], said: Row, expected_version: int | None
    ) -> Row | None:
        (course_id, student_id, item_id), key = place, key_of(*place)
        seen = await GradeOverride.find_row(key)
        if expected_version is not None:
            refuse_other_version(0 if seen is None else seen["version"], expected_version)
        if seen is not None and _same(seen, said):
            return seen
        now = self._clock.now()
        write = Write(1 if seen is None else seen["version"] + 1, now)
        names = ("points", "is_excused")
        recorded = audit(
            write,
            actor,
            "gradebook.override" if _says(said) else "gradebook.take_back",
            kind="gradebook",
            target_id=key,
            before=None if seen is None else {name: seen.get(name) for name in names},
            after={name: said[name] for name in names},
            reason=said["reason"],
            person_id=student_id,
        )
        data = {"override_id": key, "course_id": course_id, "student_id": student_id, "item_id": item_id}
        channels = [user_channel(student_id), course_staff_channel(course_id)]
        told = event(write, "grade_changed", n=0, channels=channels, data=data)
        fields = {**said, "course_id": course_id, "student_id": student_id, "item_id": item_id, "set_by": actor.user_id}
        if not await GradeOverride.put_at(key, seen, fields, intents=[told, recorded], at=now):
            return None
        begun = now if seen is None else seen["created_at"]
        return {**fields, "_id": key, "version": write.version, "created_at": begun, "updated_at": now}


def _says(row: Row) -> bool:
    """Does it say anything?"""
    return row.get("points") is not None or bool(row.get("is_excused"))


def _same(seen: Row, said: Row) -> bool:
    return all(seen.get(name) == said[name] for name in ("points", "is_excused", "reason"))
