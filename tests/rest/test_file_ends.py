"""What becomes of files: forgotten by night, taken along in an export, gone with their person; and bytes that nobody has."""

from __future__ import annotations

import asyncio
import io
import logging
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from documents.file_quota import FileQuota
from documents.stored_file import FileUse, StoredFile
from documents.upload_session import UploadSession
from lms_rt.clock import FakeClock
from lms_rt.errors import Refused
from lms_rt.ids import new_id
from lms_rt.services import file_erasure, file_sweep
from lms_rt.services.erasure_steps import Ground
from lms_rt.services.file_sweep import FileSweep
from lms_rt.services.files import FileKind, NewFile
from lms_rt.storage.files.base import SavedFile
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.rest.uploading import PDF, content_of, held_by, unnamed_bytes, upload
from tests.working import idle, working

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
async def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    async with open_house(settings_on("embedded", request, tmp_path_factory.mktemp("house"))) as made:
        yield made


async def swept(house: House, *, days: float) -> FileSweep:
    """So many days from now, the clean-ups of one night."""
    services = house.services
    clock = FakeClock(services.clock.now() + timedelta(days=days))
    sweep = FileSweep(settings=services.settings, clock=clock, store=services.file_store, files=services.files)
    yesterday = clock.now() - DAY
    await sweep.forget_half(clock.now() - 3 * DAY, limit=100)
    for rule in (sweep.forget_untouched, sweep.forget_of_gone_courses, sweep.forget_unnamed, sweep.count_anew):
        await rule(yesterday, limit=100)
    return sweep


async def bytes_of(content: bytes = b"x") -> AsyncIterator[bytes]:
    yield content


async def is_there(file: dict[str, Any]) -> bool:
    return await StoredFile.find_any(file["id"]) is not None


async def actor_of(house: House, visitor: Visitor) -> Any:
    return await house.services.sessions.authenticate(visitor.tokens["access_token"])


async def test_by_night_what_nobody_uses_goes_and_nothing_else(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = await house.teacher()
    course = await factories.course(teacher)
    untouched, used = await upload(teacher), await upload(teacher)
    kept = [await upload(teacher, course_id=course["id"]), await upload(teacher, is_public="true"), used]
    actor = await actor_of(house, teacher)
    await house.services.files.attach(actor, [used["id"]], use=FileUse.AVATAR, subject_id=teacher.user_id)
    form = await house.services.files.reserve(actor, NewFile("form.pdf"), size_bytes=5_000)
    begun = await house.services.files.reserve(actor, NewFile("half.pdf"), size_bytes=5_000)
    await UploadSession.add({"_id": new_id("upl"), "file_id": begun["_id"], "owner_id": actor.user_id, "parts": []})
    for file in kept:  # as those that came in one piece
        piece = new_id("prt")
        await house.services.file_store.save(piece, bytes_of(PDF))
        await StoredFile.change(file["id"], {}, {"$set": {"blob_id": piece}})
    for orphan in ("blb", "prt"):
        await house.services.file_store.save(new_id(orphan), bytes_of())
    monkeypatch.setattr(file_sweep, "_PAGE", 2)
    await swept(house, days=0.5)
    assert await StoredFile.find_any(form["_id"]) is None  # nobody can go on with a form
    await swept(house, days=2)
    assert await is_there(untouched)
    assert await StoredFile.find_any(begun["_id"]) is not None
    assert await unnamed_bytes(house) == []
    await swept(house, days=8.5)
    assert not await is_there(untouched)
    assert await StoredFile.find_any(begun["_id"]) is None
    for file in kept:
        assert await content_of(house, file["id"]) == PDF
    assert await held_by(house, teacher) == (3, 1, 3 * len(PDF))


async def test_a_file_that_its_owner_looks_at_is_not_forgotten(house: House) -> None:
    student = await house.student()
    file = await upload(student)
    await StoredFile.change(file["id"], {}, {"$set": {"touched_at": house.services.clock.now() - 6 * DAY}})
    await student.call("GET", f"/files/{file['id']}/download")
    await swept(house, days=2)
    assert await is_there(file)


async def test_of_a_course_that_was_deleted_only_certificates_stay(house: House) -> None:
    teacher = await house.teacher()
    course = await factories.course(teacher)
    lesson, printed = [await upload(teacher, course_id=course["id"]) for _ in range(2)]
    files, actor = house.services.files, await actor_of(house, teacher)
    for file, use in ((lesson, FileUse.LESSON), (printed, FileUse.CERTIFICATE)):
        await files.attach(actor, [file["id"]], use=use, subject_id="one", course_id=course["id"])
    await teacher.ok("DELETE", f"/courses/{course['id']}")
    await swept(house, days=2)
    assert (await is_there(lesson), await is_there(printed)) == (False, True)


async def test_bytes_that_are_gone_are_told_of_and_counts_are_set_right(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    student = await house.student()
    file, other = await upload(student), await upload(student)
    row = await StoredFile.find_row(file["id"])
    assert row is not None
    await house.services.file_store.remove(row["blob_id"])
    await FileQuota.give_back(student.user_id, -777, at=house.services.clock.now())
    with caplog.at_level(logging.WARNING):
        await swept(house, days=2)
    assert f"the bytes of file {file['id']} are missing" in caplog.text
    assert other["id"] not in caplog.text
    assert await is_there(file)
    assert await held_by(house, student) == (2, 0, 2 * len(PDF))
    await student.refused(404, "GET", f"/files/{file['id']}/download")


async def test_of_an_upload_and_its_clean_up_that_meet_one_wins(house: House) -> None:
    student = await house.student()
    files, actor = house.services.files, await actor_of(house, student)
    row = await files.reserve(actor, NewFile("a.pdf"), size_bytes=4)
    await house.services.file_store.save(row["blob_id"], bytes_of(b"%PDF"))
    await files.release(row)
    with pytest.raises(Refused, match="given up"):
        await files.settle(row, SavedFile(4, "0" * 64), FileKind("application/pdf", "document"))
    assert await held_by(house, student) == (0, 0, 0)
    assert row["blob_id"] not in await unnamed_bytes(house)


async def test_a_file_is_put_to_use_or_deleted_but_not_both(house: House) -> None:
    student = await house.student()
    files, actor = house.services.files, await actor_of(house, student)
    for number in range(10):
        file, other = await upload(student), await upload(student)
        use = {"use": FileUse.SUBMISSION, "subject_id": f"sub_{number}"}
        attached, removed = await asyncio.gather(
            files.attach(actor, [file["id"], other["id"]], **cast("Any", use)),
            files.remove(actor, file["id"]),
            return_exceptions=True,
        )
        assert (attached is None) != (removed is None)
        assert await is_there(file) == (attached is None)
        assert [one.id for one in await files.attached(FileUse.SUBMISSION, f"sub_{number}")] == (
            [file["id"], other["id"]] if attached is None else []
        )


async def test_an_export_holds_them_whole(house: House) -> None:
    student = await house.student()
    file = await upload(student, "خطّة.pdf")
    async with working(house):
        await student.ok("POST", "/users/me/export")
        await idle(house.services)
    reply = await student.call("GET", "/users/me/export/download")
    with zipfile.ZipFile(io.BytesIO(reply.content)) as opened:
        assert opened.testzip() is None
        assert opened.read(f"files/{file['id']}.pdf") == PDF
        assert "خطّة.pdf" in opened.read("files.json").decode()


async def test_with_a_person_go_their_files_but_not_what_a_course_is_made_of(house: House) -> None:
    teacher = await house.teacher()
    course = await factories.course(teacher)
    own, of_lesson = (
        await upload(teacher, "My diary.pdf"),
        await upload(teacher, "By Tariq.pdf", course_id=course["id"]),
    )
    files, actor = house.services.files, await actor_of(house, teacher)
    await files.attach(
        actor, [of_lesson["id"]], use=FileUse.LESSON, subject_id=course["lessons"][0]["id"], course_id=course["id"]
    )
    before = await StoredFile.find_row(own["id"])
    assert before is not None
    leaving: Any = SimpleNamespace(user_id=teacher.user_id)
    ground = Ground(house.services.file_store, house.services.clock, leaving, "job_one")
    for _ in range(2):
        await file_erasure.files(ground)
    assert not await is_there(own)
    assert before["blob_id"] not in await unnamed_bytes(house)
    kept = await StoredFile.find_row(of_lesson["id"])
    assert kept is not None
    assert kept["original_filename"] == f"{of_lesson['id']}.pdf"
    assert await content_of(house, of_lesson["id"]) == PDF
