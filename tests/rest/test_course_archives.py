"""Courses copied, taken out as one file and put in again: the same course, whole or not at all. On both lanes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from documents.assignment import Assignment
from documents.course_parts import put_row
from documents.stored_file import StoredFile
from lms_rt.services import course_packages
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.rest.archived import NOTES, archive_of, course, done, leftovers, parts_of, teacher, uploaded, worker, zipped
from tests.rest.uploading import photo, until

__all__ = ["course", "teacher", "worker"]


@pytest.mark.usefixtures("worker")
async def test_what_goes_out_comes_in_the_same_and_goes_out_the_same_again(
    house: House, teacher: Visitor, course: dict[str, Any]
) -> None:
    put_away = []
    for path, title in (("/quizzes", "Old quiz"), ("/assignments", "Old essay")):
        old = await teacher.ok("POST", path, json={"course_id": course["id"], "title": title})
        put_away.append(f"{path}/{old['id']}")
        await teacher.ok("DELETE", put_away[-1], params={"archive": "true"})
    raw = await archive_of(house, teacher, course["id"])
    for path in put_away:
        await teacher.ok("DELETE", path)
    other = await house.teacher()
    run = await done(house, other, "POST", "/courses/import", json={"file_id": await uploaded(other, raw)})
    assert (run["status"], run["error_detail"]) == ("finished", None)
    assert run["counts"] == {"files": 2, "quizzes": 2, "assignments": 2, "lessons": 2, "courses": 1}
    made = await other.ok("GET", f"/courses/{run['made_course_id']}")
    assert (made["title"], made["slug"], made["is_published"]) == ("Geometry", "geometry-2", False)
    assert (made["instructor_id"], made["enrollments_count"]) == (other.user_id, 0)
    for path, title in (("/quizzes", "Old quiz"), ("/assignments", "Old essay")):
        asked = {"course_id": made["id"], "is_archived": "true"}
        listed = (await other.ok("GET", path, params=asked))["items"]
        assert [(one["title"], one["is_published"], one["is_archived"]) for one in listed] == [(title, False, True)]
    second = await archive_of(house, other, run["made_course_id"])
    before, after = parts_of(raw), parts_of(second)
    manifests = [json.loads(one.pop("manifest.json")) for one in (before, after)]
    assert before == after
    assert manifests[0]["parts"] == manifests[1]["parts"]
    assert {one["name"] for one in manifests[0]["parts"]} == before.keys()
    whole = b"".join(before.values()).decode()
    for hidden in (course["id"], teacher.user_id, "Tariq", course["file_id"], course["quiz"]["id"]):
        assert hidden not in whole
    lesson = made["lessons"][1]
    assert lesson["prerequisite_lesson_ids"] == [made["lessons"][0]["id"]]
    assert lesson["file_id"] in lesson["content"]
    fetched = await other.call("GET", f"/files/{lesson['file_id']}/download")
    assert fetched.content == NOTES
    assert [one["slug"] for one in made["lessons"]] == [one["slug"] for one in course["lessons"]]
    files = (await other.ok("GET", "/files", params={"course_id": made["id"]}))["items"]
    shown = {one["original_filename"]: one["is_public"] for one in files}
    assert shown == {"notes.vtt": False, "spare.vtt": True}


@pytest.mark.usefixtures("worker")
async def test_an_archive_is_called_as_its_course_in_any_script(house: House, teacher: Visitor) -> None:
    made = await factories.course(teacher, title="جبر")
    run = await done(house, teacher, "POST", f"/courses/{made['id']}/export")
    assert run["filename"] == "جبر.zip"
    reply = await teacher.call("GET", f"/imports/{run['id']}/result")
    assert f"filename*=UTF-8''{quote('جبر')}.zip" in reply.headers["Content-Disposition"]


@pytest.mark.usefixtures("worker")
async def test_a_copy_has_everything_but_people_at_the_same_time_of_day_on_other_days(
    house: House, teacher: Visitor, course: dict[str, Any]
) -> None:
    draft = {"title": "Geometry, spring", "shift_days": 7, "timezone": "Europe/Berlin"}
    run = await done(house, teacher, "POST", f"/courses/{course['id']}/copy", json=draft)
    assert (run["status"], run["error_detail"]) == ("finished", None)
    assert (run["course_id"], run["made_course_id"] != course["id"]) == (course["id"], True)
    made = await teacher.ok("GET", f"/courses/{run['made_course_id']}")
    assert (made["title"], made["is_published"], made["enrollments_count"]) == ("Geometry, spring", False, 0)
    assert made["lessons"][1]["release_at"] == "2026-04-04T06:00:00.000Z"  # summer time began in between
    assert {one["id"] for one in made["lessons"]}.isdisjoint(one["id"] for one in course["lessons"])
    (quiz,) = (await teacher.ok("GET", "/quizzes", params={"course_id": made["id"]}))["items"]
    assert (quiz["closes_at"], quiz["passing_score"], quiz["is_published"]) == (
        "2026-04-06T07:00:00.000Z",
        "62.50",
        True,
    )
    assert quiz["lesson_id"] == made["lessons"][0]["id"]
    asked, copied = [
        (await teacher.ok("GET", f"/quizzes/{one}/questions", params={"page_size": 100}))["items"]
        for one in (course["quiz"]["id"], quiz["id"])
    ]
    own = ("id", "quiz_id", "version", "created_at", "updated_at")
    assert [{k: v for k, v in one.items() if k not in own} for one in asked] == [
        {k: v for k, v in one.items() if k not in own} for one in copied
    ]
    (task,) = (await teacher.ok("GET", "/assignments", params={"course_id": made["id"]}))["items"]
    assert (task["due_date"], task["late_penalty_percentage"]) == ("2026-04-04T20:30:00.000Z", "10.00")
    settings = await teacher.ok("GET", f"/courses/{made['id']}/gradebook")
    assert {one["item_id"]: one["category_id"] for one in settings["placed"]} == {task["id"]: "tests", quiz["id"]: None}
    other = await house.teacher()
    assert (await other.call("POST", f"/courses/{course['id']}/copy", json={})).status_code == 404


async def test_a_copy_that_is_cut_is_not_there_before_it_is_whole_and_one_that_fails_leaves_nothing(
    house: House, teacher: Visitor, course: dict[str, Any]
) -> None:
    services, put = house.services, put_row

    async def cut(document: Any, row: dict[str, Any]) -> None:
        await put(document, row)
        if document is Assignment:
            raise RuntimeError("the process died")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course_packages, "put_row", cut)
        run_id = (await teacher.ok("POST", f"/courses/{course['id']}/copy", json={}))["id"]
        with pytest.raises(RuntimeError):
            await services.import_runs.run(run_id)
    made_id = course_packages.course_id_of(run_id)
    assert (await teacher.call("GET", f"/courses/{made_id}")).status_code == 404
    assert (await teacher.ok("GET", "/quizzes", params={"course_id": made_id}))["items"] == []
    assert await leftovers(made_id) == [1, 1, 2]
    await services.import_runs.run(run_id)
    assert (await teacher.ok("GET", f"/courses/{made_id}"))["title"] == "Geometry"
    assert await StoredFile.rows().count_documents({"course_id": made_id}) == 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course_packages, "put_row", cut)
        run_id = (await teacher.ok("POST", f"/courses/{course['id']}/copy", json={}))["id"]
        with pytest.raises(RuntimeError):
            await services.import_runs.run(run_id)
    await services.import_runs.give_up(run_id)
    assert (await teacher.ok("GET", f"/imports/{run_id}"))["status"] == "failed"
    assert await leftovers(course_packages.course_id_of(run_id)) == [0, 0, 0]


@pytest.mark.usefixtures("worker")
async def test_what_is_no_archive_is_refused_at_once_and_a_damaged_one_leaves_nothing(
    house: House, teacher: Visitor, course: dict[str, Any]
) -> None:
    raw = await archive_of(house, teacher, course["id"])
    parts = parts_of(raw)
    bad = parts | {"../../etc/passwd": b"root"}
    for content, code in ((zipped(bad), "foreign_entry"), (raw[: len(raw) // 2], "not_an_archive")):
        reply = await teacher.call("POST", "/courses/import", json={"file_id": await uploaded(teacher, content)})
        assert reply.status_code == 422
        assert [(one["field"], one["code"]) for one in reply.json()["errors"]] == [("file_id", code)]
    quiz = next(name for name in parts if name.startswith("quizzes/"))
    changed = parts | {quiz: parts[quiz].replace(b"Midterm", b"Midterx")}
    run = await done(
        house, teacher, "POST", "/courses/import", json={"file_id": await uploaded(teacher, zipped(changed))}
    )
    assert (run["status"], run["error"]) == ("failed", "damaged")
    assert await leftovers(course_packages.course_id_of(run["id"])) == [0, 0, 0]
    other = await house.student()
    not_mine = await uploaded(other, raw)
    reply = await teacher.call("POST", "/courses/import", json={"file_id": not_mine})
    assert [(one["field"], one["code"]) for one in reply.json()["errors"]] == [("file_id", "unknown_file")]
    assert (await other.call("POST", "/courses/import", json={"file_id": not_mine})).status_code == 403


@pytest.mark.usefixtures("worker")
async def test_an_image_that_still_tells_of_its_camera_is_in_no_archive_and_in_no_copy(
    house: House, teacher: Visitor, course: dict[str, Any]
) -> None:
    of_course = {"course_id": course["id"]}
    sent = await teacher.call("POST", "/files/upload", files={"file": ("photo.jpg", photo())}, data=of_course)
    file_id = sent.json()["id"]

    async def is_drawn() -> bool:
        row = await StoredFile.find_any(file_id)
        return row is not None and row["state"] == "ready"

    await until(is_drawn)  # a worker that comes before the end of the upload comes again in some seconds
    await StoredFile.change(file_id, {}, {"$set": {"state": "processing"}})
    parts = parts_of(await archive_of(house, teacher, course["id"]))
    assert b"photo.jpg" not in parts["files.json"]
    run = await done(house, teacher, "POST", f"/courses/{course['id']}/copy", json={})
    copied = await StoredFile.rows().find_one({"course_id": run["made_course_id"], "original_filename": "photo.jpg"})
    assert (run["status"], copied) == ("finished", None)
