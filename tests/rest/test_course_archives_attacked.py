"""Courses and archives of them when rights go, when others are in the way, and when somebody wrote the archive himself."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from documents.course import Course
from documents.course_parts import ForeignPartError, put_row
from documents.file_quota import FileQuota
from documents.import_run import ImportRun
from documents.quiz import Quiz
from lms_rt.errors import Refused
from lms_rt.interchange import course_archive
from lms_rt.interchange.course_archive import canonical_ids
from lms_rt.services import archive_parts, course_packages, kept_archives
from lms_rt.services.import_runs import Run
from tests.clients import Visitor
from tests.house import PASSWORD, House
from tests.rest.archived import archive_of, course, done, leftovers, parts_of, teacher, uploaded, worker, zipped

__all__ = ["course", "teacher", "worker"]


@dataclass
class Copying:
    """Copies of a course, each with something that happens at the last write of it."""

    house: House
    teacher: Visitor
    course_id: str

    async def begun(self) -> tuple[str, str]:
        """The run, and the course that it is to make."""
        run_id = (await self.teacher.ok("POST", f"/courses/{self.course_id}/copy", json={}))["id"]
        return run_id, course_packages.course_id_of(run_id)

    async def run(self, run_id: str, at_last: Callable[[Course], Awaitable[Any]]) -> None:
        """The work, with `at_last` in place of the write."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Course, "insert_new", at_last)
            await self.house.services.import_runs.run(run_id)

    async def shown(self, run_id: str) -> dict[str, Any]:
        run: dict[str, Any] = await self.teacher.ok("GET", f"/imports/{run_id}")
        return run

    async def quizzes(self, made_id: str) -> int:
        return len((await self.teacher.ok("GET", "/quizzes", params={"course_id": made_id}))["items"])


@pytest.fixture
def copying(house: House, teacher: Visitor, course: dict[str, Any]) -> Copying:
    return Copying(house, teacher, course["id"])


async def test_at_its_last_write_a_course_is_not_cancelled(copying: Copying) -> None:
    insert, (run_id, made_id) = Course.insert_new, await copying.begun()

    async def cancelled_first(self: Course) -> Any:
        shown = await copying.teacher.ok("POST", f"/imports/{run_id}/cancel")
        assert (shown["status"], shown["finished_at"]) == ("running", None)
        return await insert(self)

    await copying.run(run_id, cancelled_first)
    assert (await copying.shown(run_id))["status"] == "finished"
    assert await copying.quizzes(made_id) == 1


async def test_a_course_is_not_there_when_a_try_beside_failed(copying: Copying) -> None:
    insert, (run_id, made_id) = Course.insert_new, await copying.begun()

    async def failed_first(self: Course) -> Any:
        await copying.house.services.import_runs.give_up(run_id)
        return await insert(self)

    await copying.run(run_id, failed_first)
    assert (await copying.shown(run_id))["status"] == "failed"
    assert await leftovers(made_id) == [0, 0, 0]


async def test_a_course_that_was_written_last_is_there_though_its_process_died(copying: Copying) -> None:
    insert, (run_id, made_id) = Course.insert_new, await copying.begun()

    async def dies_after(self: Course) -> Any:
        await insert(self)
        raise RuntimeError("the process died")

    with pytest.raises(RuntimeError):
        await copying.run(run_id, dies_after)
    await copying.house.services.import_runs.give_up(run_id)
    landed = await copying.shown(run_id)
    assert (landed["status"], landed["made_course_id"]) == ("finished", made_id)
    assert await copying.quizzes(made_id) == 1


async def test_who_lost_the_right_neither_fetches_nor_makes(
    house: House, teacher: Visitor, course: dict[str, Any]
) -> None:
    owner, admin, runs = await house.teacher(), await house.admin(), house.services.import_runs
    which = {"_id": course["id"]}

    async def changed(fields: dict[str, Any]) -> None:
        await admin.ok("PATCH", f"/admin/users/{owner.user_id}", json=fields)
        await owner.sign_in(owner.user["email"], PASSWORD)

    await Course.rows().update_one(which, {"$set": {"instructor_id": owner.user_id}})
    try:
        exported = (await owner.ok("POST", f"/courses/{course['id']}/export"))["id"]
        await runs.run(exported)
        assert (await owner.call("GET", f"/imports/{exported}/result")).status_code == 200
        copied = (await owner.ok("POST", f"/courses/{course['id']}/copy", json={}))["id"]
        raw = (await owner.call("GET", f"/imports/{exported}/result")).content
        taken = (await owner.ok("POST", "/courses/import", json={"file_id": await uploaded(owner, raw)}))["id"]
        single = {"role": "student", "permissions": ["course:update", "course:create"]}
        await changed(single)
        assert (await owner.call("GET", f"/imports/{exported}/result")).status_code == 404  # the keys of its quizzes
        for action in ("export", "copy"):
            assert (await owner.call("POST", f"/courses/{course['id']}/{action}", json={})).status_code == 404
        await changed({"permissions": ["course:update", "quizzes:manage"]})
        for run_id in (copied, taken):
            await runs.run(run_id)
            ended = await owner.ok("GET", f"/imports/{run_id}")
            assert (ended["status"], ended["error"]) == ("failed", "forbidden")
            assert await leftovers(course_packages.course_id_of(run_id)) == [0, 0, 0]
        await changed({"permissions": []})
        assert (await owner.call("GET", f"/imports/{exported}/result")).status_code == 404
        assert (await owner.call("GET", f"/imports/{exported}")).status_code == 200
        assert (await admin.call("GET", f"/imports/{exported}/result")).status_code == 200
    finally:
        await Course.rows().update_one(which, {"$set": {"instructor_id": teacher.user_id}})


def resealed(parts: dict[str, bytes], **changed: Callable[[Any], Any]) -> bytes:
    """An archive with parts that somebody wrote anew, and a manifest that fits."""
    parts = dict(parts)
    for start, change in changed.items():
        name = next(one for one in parts if one.startswith(start))
        parts[name] = json.dumps(change(json.loads(parts[name]))).encode()
    told = json.loads(parts["manifest.json"])
    for one in told["parts"]:
        raw = parts[one["name"]]
        one |= {"size_bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
    return zipped(parts | {"manifest.json": json.dumps(told).encode()})


@pytest.mark.usefixtures("worker")
async def test_what_somebody_wrote_into_an_archive_is_refused_with_the_reason_and_never_takes_an_id_of_the_school(
    house: House, teacher: Visitor, course: dict[str, Any]
) -> None:
    parts, other = parts_of(await archive_of(house, teacher, course["id"])), await house.teacher()
    victim = course["lessons"][0]["id"]

    def stolen(items: list[Any]) -> list[Any]:
        return [items[0] | {"id": victim}, *items[1:]]

    def twice(quiz: dict[str, Any]) -> dict[str, Any]:
        return quiz | {"questions": [*quiz["questions"], quiz["questions"][0]]}

    def asked(quiz: dict[str, Any]) -> dict[str, Any]:
        return quiz | {"questions": [quiz["questions"][0] | {"id": next(iter(course["question_ids"]))}]}

    lying = resealed(parts)
    place = lying.index(b"files/fil_")
    lying = lying[:place] + b"filez" + lying[place + 5 :]  # its own head says another name than the directory
    bad = {
        "malformed_part": [
            resealed(parts, lessons=stolen),
            resealed(parts, quizzes=asked),
            resealed(parts, quizzes=lambda one: one | {"id": course["quiz"]["id"]}),
            resealed(parts, lessons=lambda _: ["x"]),
            resealed(parts, assignments=lambda _: [[]]),
            resealed(parts, course=lambda _: []),
            resealed(parts, files=lambda _: [1]),
        ],
        "duplicate": [resealed(parts, quizzes=twice)],
        "damaged": [lying],
    }
    for code, archives in bad.items():
        for raw in archives:
            run = await done(house, other, "POST", "/courses/import", json={"file_id": await uploaded(other, raw)})
            assert (run["status"], run["error"]) == ("failed", code)
            assert await leftovers(course_packages.course_id_of(run["id"])) == [0, 0, 0]


@pytest.mark.usefixtures("worker")
async def test_ids_of_an_archive_are_bounded_and_exchanged_beside_the_event_loop(
    house: House, teacher: Visitor, course: dict[str, Any]
) -> None:
    parts, other = parts_of(await archive_of(house, teacher, course["id"])), await house.teacher()
    with pytest.raises(ForeignPartError):  # an id of the school is not passed over in silence
        await put_row(Quiz, {"_id": course["quiz"]["id"], "course_id": "crs_another"})
    seen = set[bool]()

    def threaded(raw: bytes) -> set[str]:
        seen.add(threading.current_thread() is threading.main_thread())
        return canonical_ids(raw)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive_parts, "canonical_ids", threaded)
        patch.setattr(course_archive, "MAX_IDS", 4)
        file_id = await uploaded(other, resealed(parts))
        run = await done(house, other, "POST", "/courses/import", json={"file_id": file_id})
    assert (run["status"], run["error"], seen) == ("failed", "too_large", {False})


@pytest.mark.usefixtures("worker")
async def test_archives_lie_in_the_room_of_who_asked_and_only_the_newest_for_some_days(
    house: House, course: dict[str, Any]
) -> None:
    admin, services = await house.admin(), house.services
    path = f"/courses/{course['id']}/export"
    made = [await done(house, admin, "POST", path) for _ in range(kept_archives.NEWEST + 1)]
    codes = [(await admin.call("GET", f"/imports/{run['id']}/result")).status_code for run in made]
    assert codes == [404] + [200] * kept_archives.NEWEST
    sizes = [
        row["size_bytes"]
        async for row in ImportRun.rows().find({"user_id": admin.user_id, "file_id": {"$exists": True}})
    ]
    assert await FileQuota.find_used(admin.user_id) == sum(sizes)
    await FileQuota.rows().update_one({"_id": admin.user_id}, {"$inc": {"used_bytes": 7}})
    await services.files.quotas.correct()
    assert await FileQuota.find_used(admin.user_id) == sum(sizes)
    with pytest.MonkeyPatch.context() as patch:  # of two that are written at once there is room for one
        patch.setattr(kept_archives.KeptArchives, "_limit_bytes", sum(sizes) + 150)
        rows = [{"user_id": admin.user_id, "course_id": f"crs_{number}"} for number in range(2)]
        asked = [services.course_archives.kept.make_room(Run(row, services.console_actor, None), 100) for row in rows]
        assert sorted(map(type, await asyncio.gather(*asked, return_exceptions=True)), key=str) == [type(None), Refused]
        await FileQuota.give_back(admin.user_id, 100, at=services.clock.now())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept_archives, "MEBIBYTE", 0)
        refused = await admin.call("POST", path)
        assert (refused.status_code, refused.json()["quota"]) == (413, "user")
    soon = services.clock.now() + timedelta(days=1)
    assert await services.course_archives.kept.forget(soon, limit=100) >= kept_archives.NEWEST
    assert await FileQuota.find_used(admin.user_id) == 0
    last = await admin.ok("GET", f"/imports/{made[-1]['id']}")
    assert (last["status"], last["url"]) == ("finished", None)
    assert (await admin.call("GET", f"/imports/{last['id']}/result")).status_code == 404
