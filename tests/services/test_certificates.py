"""Certificates as they come to be: by completing a course, once, under numbers without gaps, in whatever order things stop."""

from __future__ import annotations

import asyncio
import io
import re
import unicodedata
from typing import Any

import httpx
import orjson
import pypdf
import pytest
import zxingcpp
from PIL import Image, ImageDraw

from documents.certificate import Certificate
from documents.enrollment import Enrollment
from documents.stored_file import StoredFile
from documents.user import User
from lms_rt.contracts.actor import STRANGER
from lms_rt.contracts.event_records import EventQuery
from lms_rt.contracts.jobs import CertificateArgs
from lms_rt.errors import Refused
from lms_rt.ids import derived_id
from lms_rt.printing.certificate import PrintedCertificate
from lms_rt.security.signing import from_text
from lms_rt.services.certificate_drawing import Drawing
from lms_rt.services.certificate_issuing import CertificateIssuing
from lms_rt.services.certificate_statement import holds, proof_holds
from lms_rt.services.withholding import WITHHELD
from tests import factories
from tests.clients import Visitor
from tests.house import House
from tests.working import idle, working

_SCALE = 6
_SIDE = 88 * _SCALE


async def completed(house: House, teacher: Visitor, *, full_name: str = "", **course: Any) -> tuple[Visitor, str]:
    """A student who has completed a new course of this teacher, and the enrolment."""
    made = await factories.course(teacher, **course)
    student = await house.student(full_name)
    return student, await completes(student, made["id"])


async def completes(student: Visitor, course_id: str) -> str:
    enrollment = await factories.enrolled(student, course_id)
    lesson_id = enrollment["progress"][0]["lesson_id"]
    done = await student.ok("POST", f"/enrollments/{enrollment['id']}/lessons/{lesson_id}/complete")
    assert done["status"] == "completed"
    return str(enrollment["id"])


async def own(student: Visitor) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await student.ok("GET", "/certificates"))["items"]
    return found


async def key_of(student: Visitor, key_id: str) -> bytes:
    async with httpx.AsyncClient(trust_env=False) as client:
        keys = (await client.get(f"{student.address}/.well-known/lms-receipt-keys.json")).json()["keys"]
    return from_text(next(key["public_key"] for key in keys if key["key_id"] == key_id))


async def test_whoever_completes_a_course_is_given_a_certificate_that_anybody_can_check(house: House) -> None:
    teacher = await house.teacher("Tariq Aziz")
    async with working(house):
        student, enrollment_id = await completed(house, teacher, full_name="محمد عبد الرحمن")
        await idle(house.services)
    [certificate] = await own(student)
    number = certificate["certificate_number"]
    assert (certificate["status"], certificate["student_name"]) == ("valid", "محمد عبد الرحمن")
    assert certificate["instructor_name"] == "Tariq Aziz"
    assert await student.ok("GET", f"/enrollments/{enrollment_id}/certificate") == certificate
    enrollment = await student.ok("GET", f"/enrollments/{enrollment_id}")
    assert enrollment["certificate_issued_at"] == certificate["issued_at"]
    kinds = [one["kind"] for one in (await student.ok("GET", "/notifications"))["items"]]
    assert "certificate.issued" in kinds
    # the file is the one that was promised, and says what it should
    file = await student.call("GET", f"/certificates/{certificate['id']}/download")
    assert (file.headers["Content-Type"], file.headers["ETag"]) == ("application/pdf", f'"{certificate["sha256"]}"')
    said = unicodedata.normalize("NFKC", pypdf.PdfReader(io.BytesIO(file.content)).pages[0].extract_text())
    assert all(word in said for word in (number, "Algebra 1", "Tariq Aziz", "محمد"))
    # anybody checks it by the number, and the signatures by the published key alone
    anybody = await house.visitor()
    told = await anybody.ok("GET", f"/certificates/verify/{number.lower()}")
    assert (told["valid"], told["student_name"], told["course_name"]) == (True, "محمد عبد الرحمن", "Algebra 1")
    key = await key_of(student, told["key_id"])
    assert holds(told["statement"], told["signature"], key)
    assert not holds(told["statement"].replace("Algebra 1", "Algebra 2"), told["signature"], key)
    credential = await student.ok("GET", f"/certificates/{certificate['id']}/credential")
    assert proof_holds(credential)
    assert not proof_holds(credential | {"name": "Another course"})
    assert await anybody.ok("GET", "/certificates/verify/CERT-2000-000001") == {"valid": False}
    page = await anybody.call("GET", f"/certificates/verify/{number}", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.headers["Location"]) == (303, f"/verify/{number}")


async def test_a_hundred_who_complete_at_once_have_numbers_without_gaps_and_doubles(house: House) -> None:
    """Five writers, each of its own process' memory; what is asked for twice is there once."""
    teacher = await house.teacher()
    enrollment_ids = await crowd(teacher, 100)
    services = house.services
    writers = [services.certificates._issuing, *(_another_process(services) for _ in range(4))]

    async def issue(place: int, enrollment_id: str) -> None:
        enrollment = await Enrollment.find_one_by_id(enrollment_id)
        assert enrollment is not None
        await asyncio.gather(*(writers[(place + more) % 5].issue(enrollment) for more in (0, 1)))

    await asyncio.gather(*(issue(place, one) for place, one in enumerate(enrollment_ids)))
    rows = await Certificate.rows().find({}, {"year": 1, "sequence": 1, "current_key": 1}).to_list(length=None)
    year = rows[0]["year"]
    assert sorted(row["sequence"] for row in rows if row["year"] == year) == list(range(1, len(rows) + 1))
    assert {row["current_key"] for row in rows} >= set(enrollment_ids)
    assert len({row["current_key"] for row in rows}) == len(rows)


async def crowd(teacher: Visitor, count: int) -> list[str]:
    """Completed enrolments, as so many students leave them; their accounts are copies of one."""
    course = await factories.course(teacher)
    row = await User.rows().find_one({"_id": teacher.user_id})
    assert row is not None
    ids = []
    for place in range(count):
        user_id = f"usr_crowd{course['id'][-6:]}{place}"
        await User.rows().insert_one(
            row | {"_id": user_id, "email_key": f"{user_id}@x", "full_name": f"Student {place}"}
        )
        enrollment = Enrollment(
            id=f"{user_id}:{course['id']}", student_id=user_id, course_id=course["id"], status="completed",
            enrolled_at=row["created_at"], completed_at=row["created_at"], created_at=row["created_at"],
            updated_at=row["created_at"],
        )  # fmt: skip
        assert await enrollment.insert_new()
        ids.append(enrollment.id)
    return ids


def _another_process(services: Any) -> CertificateIssuing:
    """Who knows nothing of the numbers that others have given."""
    return CertificateIssuing(
        settings=services.settings,
        clock=services.clock,
        relay=services.relay,
        files=services.certificates._files,
        signing=services.attempt_clock.signing,
    )


class Killed(BaseException):
    """The process is gone: nothing of it catches this."""


def killed_after(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
    """The next call of this does its work, and is the last thing that its process does."""
    real = getattr(owner, name)

    async def once(*args: Any, **more: Any) -> Any:
        result = await real(*args, **more)
        monkeypatch.setattr(owner, name, real)
        raise Killed(result)

    monkeypatch.setattr(owner, name, once)


async def test_whoever_is_killed_between_two_steps_is_followed_by_another(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each write of the job it ends as by a kill; the next run meets what is there."""
    teacher = await house.teacher()
    [enrollment_id] = await crowd(teacher, 1)
    certificates = house.services.certificates
    issuing, args = certificates._issuing, CertificateArgs(enrollment_id=enrollment_id)
    steps = ((Certificate, "add"), (issuing._drawing, "draw"), (issuing._files, "produce"), (Certificate, "change_at"))
    for owner, name in steps:
        killed_after(monkeypatch, owner, name)
        with pytest.raises(Killed):
            await certificates.carry_out(args)
    for _ in range(2):
        await certificates.carry_out(args)
    [row] = await Certificate.find_of_enrollment(enrollment_id)
    assert row["file_id"] is not None
    await house.services.relay.sweep(minimum_age_ms=0)
    enrollment = await Enrollment.find_one_by_id(enrollment_id)
    assert enrollment is not None
    assert enrollment.certificate_issued_at == row["issued_at"]
    told = await house.services.event_log.list(STRANGER, EventQuery(type=["certificate.issued"], limit=100))
    assert [one.data["id"] for one in told.items].count(row["_id"]) == 1


async def test_a_lost_file_is_printed_again_to_the_byte_and_its_code_leads_to_the_page(house: House) -> None:
    teacher = await house.teacher()
    async with working(house):
        student, _ = await completed(house, teacher, title="الجبر C++ (2026)", full_name="Sara Saleh – سارة")
        await idle(house.services)
    [certificate] = await own(student)
    path = f"/certificates/{certificate['id']}/download"
    before = (await student.call("GET", path)).content
    row = await Certificate.find_row(certificate["id"])
    assert row is not None
    await house.services.certificates._issuing._files.discard(row["file_id"])
    after = (await student.call("GET", path)).content
    assert after == before
    # what cannot be the same is not given out as if it were, and of who was erased nothing is drawn anew
    changes: tuple[tuple[dict[str, Any], int], ...] = (({"sha256": "0" * 64}, 409), ({"student_name": WITHHELD}, 404))
    for change, status in changes:
        await house.services.certificates._issuing._files.discard(row["file_id"])
        await Certificate.rows().update_one({"_id": row["_id"]}, {"$set": change})
        await student.refused(status, "GET", path)
        await Certificate.rows().update_one({"_id": row["_id"]}, {"$set": {name: row[name] for name in change}})
    assert await StoredFile.rows().find_one({"_id": row["file_id"]}) is None
    assert _code_in(before) == certificate["verify_url"]
    assert orjson.loads(row["statement"])["verify_url"] == certificate["verify_url"]


async def test_a_late_repeat_gives_no_second_one_after_a_revocation_and_leaves_no_name_behind(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = await house.teacher()
    [enrollment_id, erased_id] = await crowd(teacher, 2)
    certificates = house.services.certificates
    args, looked, goes_on = CertificateArgs(enrollment_id=enrollment_id), asyncio.Event(), asyncio.Event()
    find_former = Certificate.find_of_enrollment

    async def slowly(of: str) -> list[dict[str, Any]]:
        found = await find_former(of)
        if not looked.is_set():
            looked.set()
            await goes_on.wait()
        return found

    monkeypatch.setattr(Certificate, "find_of_enrollment", slowly)
    late = asyncio.create_task(certificates.carry_out(args))
    await looked.wait()
    given = await teacher.ok("POST", f"/certificates/generate/{enrollment_id}", json={})
    await teacher.ok("POST", f"/certificates/{given['id']}/revoke", json={"reason": "It was not her."})
    goes_on.set()
    await late
    of_all_missing = CertificateArgs(enrollment_id=enrollment_id, is_by_hand=True)
    await certificates.carry_out(of_all_missing)
    assert [row["status"] for row in await find_former(enrollment_id)] == ["revoked"]
    again = await teacher.ok("POST", f"/certificates/generate/{enrollment_id}", json={})
    assert (again["status"], again["id"] != given["id"]) == ("valid", True), "by hand it is another"
    # killed when the file was there, and then its student was erased
    killed_after(monkeypatch, certificates._issuing._files, "produce")
    with pytest.raises(Killed):
        await certificates.carry_out(CertificateArgs(enrollment_id=erased_id))
    [row] = await find_former(erased_id)
    assert await StoredFile.rows().find_one({"_id": derived_id("fil", row["_id"])})
    await Certificate.rows().update_one({"_id": row["_id"]}, {"$set": {"student_name": WITHHELD}})
    await certificates.carry_out(CertificateArgs(certificate_id=row["_id"]))
    assert await StoredFile.rows().find_one({"_id": derived_id("fil", row["_id"])}) is None


async def test_whoever_waits_for_a_sheet_waits_behind_few_and_the_public_is_told_no_account(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = await house.teacher()
    [enrollment_id] = await crowd(teacher, 1)
    course_id = enrollment_id.partition(":")[2]
    draw, draw_now, is_one_refused = Drawing.draw, Drawing.draw_now, asyncio.Event()

    async def held_up(drawing: Drawing, facts: PrintedCertificate) -> bytes:
        await is_one_refused.wait()
        return await draw(drawing, facts)

    async def watched(drawing: Drawing, facts: PrintedCertificate) -> bytes:
        try:
            return await draw_now(drawing, facts)
        except Refused:
            is_one_refused.set()
            raise

    monkeypatch.setattr(Drawing, "draw", held_up)
    monkeypatch.setattr(Drawing, "draw_now", watched)
    asked = await asyncio.gather(
        *(teacher.call("GET", f"/courses/{course_id}/certificate-template/preview") for _ in range(12))
    )
    assert {reply.status_code for reply in asked} == {200, 503}
    assert {reply.json()["code"] for reply in asked if reply.status_code == 503} == {"busy"}
    given = await teacher.ok("POST", f"/certificates/generate/{enrollment_id}", json={})
    told = await (await house.visitor()).ok("GET", f"/certificates/verify/{given['certificate_number']}")
    assert "usr_" not in str(told)


def _code_in(pdf: bytes) -> str:
    """What a scanner reads from the squares on the page, drawn from the page's own numbers."""
    drawn = pypdf.PdfReader(io.BytesIO(pdf)).pages[0].get_contents()
    assert drawn is not None
    squares = re.findall(
        r"0 0 0 rg(?:\n[^\n]*){4}\nn ([\d.]+) ([\d.]+) ([\d.]+) ([\d.]+) re f\*", drawn.get_data().decode("latin-1")
    )
    picture = Image.new("L", (_SIDE, _SIDE), 255)
    for x, y, width, height in (map(float, square) for square in squares):
        box = (x * _SCALE, _SIDE - (y + height) * _SCALE, (x + width) * _SCALE - 1, _SIDE - y * _SCALE - 1)
        ImageDraw.Draw(picture).rectangle(box, fill=0)
    [found] = zxingcpp.read_barcodes(picture)
    return str(found.text)
