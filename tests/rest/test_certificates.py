"""Certificates over HTTP and live: asked for, ended and corrected by staff, told at once, checked by anybody, gone with the person."""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pypdf
import pytest
from PIL import Image

from documents.certificate import Certificate
from documents.user import User
from lms_rt.contracts.channels import user_channel
from lms_rt.services.withholding import WITHHELD
from tests import factories
from tests.clients import Visitor
from tests.conftest import settings_on
from tests.house import House, open_house
from tests.rest.certified import UNKNOWN_NUMBER
from tests.working import idle, working

SCHEMA = Path(__file__).parents[1] / "data" / "openbadges" / "achievement_credential.schema.json"
PUBLIC = {
    "valid", "certificate_number", "status", "student_name", "course_name", "completion_date", "issued_at", "revoked_at",
    "replaced_by_number", "replaces_number", "issuer_name", "key_id", "statement", "signature", "sha256",
}  # fmt: skip


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """One school on the embedded store: what may differ on a server is asked in tests/services."""
    async with open_house(settings_on("embedded", request, tmp_path_factory.mktemp("house"))) as opened:
        yield opened


async def finished(house: House, teacher: Visitor, **course: Any) -> tuple[Visitor, dict[str, Any], str]:
    """A student who has completed a course of this teacher: the course, and the enrolment."""
    made, student = await factories.course(teacher, **course), await house.student("Sara Saleh")
    enrollment = await factories.enrolled(student, made["id"])
    await student.ok("POST", f"/lessons/{made['lessons'][0]['id']}/complete")
    return student, made, str(enrollment["id"])


async def events(house: House, visitor: Visitor) -> list[str]:
    stretch = await house.services.bus.history.read(user_channel(visitor.user_id), after=0)
    return [one.event.name for one in stretch.events if one.event.name.startswith("certificate")]


async def test_whoever_asks_is_given_one_and_the_same(house: House) -> None:
    teacher = await house.teacher()
    course, student = await factories.course(teacher), await house.student()
    enrollment = await factories.enrolled(student, course["id"])
    for body in ({"course_id": course["id"]}, {"enrollment_id": enrollment["id"]}):
        refused = await student.refused(409, "POST", "/certificates/generate", json=body)
        assert refused["code"] == "not_complete"
    assert (await student.refused(422, "POST", "/certificates/generate", json={}))["errors"][0][
        "field"
    ] == "enrollment_id"
    await student.refused(404, "GET", f"/enrollments/{enrollment['id']}/certificate")
    await student.ok("POST", f"/lessons/{course['lessons'][0]['id']}/complete")
    first = await student.call("POST", "/certificates/generate", json={"course_id": course["id"]})
    again = await teacher.call("POST", f"/certificates/generate/{enrollment['id']}", json={})
    assert (first.status_code, again.status_code) == (201, 200)
    certificate = first.json()
    assert first.headers["Location"] == f"/api/v1/certificates/{certificate['id']}"
    assert again.json()["certificate_number"] == certificate["certificate_number"]
    path = f"/certificates/{certificate['id']}/download"
    waiting = await student.refused(503, "GET", path)  # no worker has come yet
    assert waiting["code"] == "busy"
    async with working(house):
        await idle(house.services)
    file = await student.call("GET", path)
    assert file.content.startswith(b"%PDF")
    assert file.headers["Content-Disposition"] == f'attachment; filename="{certificate["certificate_number"]}.pdf"'
    stranger = await house.student()
    for method, hidden in (("GET", f"/certificates/{certificate['id']}"), ("GET", path)):
        await stranger.refused(404, method, hidden)
    assert (await stranger.ok("GET", "/certificates"))["total"] == 0


async def test_a_wrong_name_is_corrected_by_a_successor_and_both_name_each_other(house: House) -> None:
    teacher = await house.teacher()
    async with working(house):
        student, course, enrollment_id = await finished(house, teacher)
        await idle(house.services)
        [old] = (await teacher.ok("GET", f"/courses/{course['id']}/certificates"))["items"]
        path, body = (
            f"/certificates/{old['id']}/replace",
            {"reason": "Her name is Sarah.", "student_name": "Sarah Saleh"},
        )
        await student.refused(403, "POST", path, json=body)
        await (await house.teacher()).refused(404, "POST", path, json=body)
        await teacher.refused(412, "POST", path, json=body, headers={"If-Match": '"99"'})
        made = await teacher.call("POST", path, json=body)
        again = await teacher.ok("POST", path, json=body)
        await idle(house.services)
    new = made.json()
    assert made.status_code == 201
    assert again["id"] == new["id"]
    old, new = [await student.ok("GET", f"/certificates/{one['id']}") for one in (old, new)]
    assert (old["status"], old["replaced_by_id"], old["replaced_reason"]) == ("replaced", new["id"], body["reason"])
    assert old["replaced_by_number"] == new["certificate_number"]
    assert (new["status"], new["replaces_id"], new["student_name"]) == ("valid", old["id"], "Sarah Saleh")
    assert (await student.ok("GET", f"/enrollments/{enrollment_id}/certificate"))["id"] == new["id"]
    assert (await student.ok("GET", f"/enrollments/{enrollment_id}"))["certificate_issued_at"] == new["issued_at"]
    assert await events(house, student) == ["certificate_issued", "certificate_replaced", "certificate_issued"]
    said = pypdf.PdfReader(io.BytesIO((await student.call("GET", new["pdf_url"][len("/api/v1") :])).content))
    assert old["certificate_number"] in said.pages[0].extract_text()
    told = await student.ok("GET", f"/certificates/verify/{old['certificate_number']}")
    assert (told["valid"], told["replaced_by_number"]) == (False, new["certificate_number"])
    refused = await teacher.refused(409, "POST", f"/certificates/{old['id']}/revoke", json={"reason": "No."})
    assert refused["code"] == "conflict"


async def test_what_is_revoked_holds_no_longer_and_its_reason_is_not_for_the_public(house: House) -> None:
    teacher, admin = await house.teacher(), await house.admin()
    async with working(house):
        student, _, enrollment_id = await finished(house, teacher)
        await idle(house.services)
        [one] = (await student.ok("GET", "/certificates"))["items"]
        credential = await student.ok("GET", f"/certificates/{one['id']}/credential")
        jsonschema.validate(credential, json.loads(SCHEMA.read_text()))
        path = f"/certificates/{one['id']}/revoke"
        assert (await teacher.refused(422, "POST", path, json={"reason": "  "}))["errors"][0]["field"] == "reason"
        await admin.ok("POST", path, json={"reason": "Copied from a neighbour."})
        again = await teacher.ok("POST", path, json={"reason": "Another one."})
        await idle(house.services)
        assert (again["status"], again["revoked_reason"]) == ("revoked", "Copied from a neighbour.")
        assert (await events(house, student))[-1] == "certificate_revoked"
        notices = {one["kind"]: one["body"] for one in (await student.ok("GET", "/notifications"))["items"]}
        assert "Copied from a neighbour." in notices["certificate.revoked"]
        told = await student.ok("GET", f"/certificates/verify/{one['certificate_number']}")
        assert set(told) == PUBLIC
        assert (told["valid"], told["revoked_at"], told["student_name"]) == (False, again["revoked_at"], "Sara Saleh")
        assert "Copied" not in json.dumps(told)
        void = await student.ok("GET", "/certificates/revocations")
        assert credential["id"] in {row["id"] for row in void["revokedCredential"]}
        year = one["certificate_number"].split("-")[1]
        lists = [await student.ok("GET", f"/certificates/revocations?list={year}-{place}") for place in (0, 1)]
        assert credential["credentialStatus"]["id"] == lists[0]["id"]
        assert [credential["id"] in {row["id"] for row in void["revokedCredential"]} for void in lists] == [True, False]
        await student.refused(422, "GET", "/certificates/revocations?list=2026")
        assert (await student.ok("GET", f"/enrollments/{enrollment_id}"))["certificate_issued_at"] is None
        # the student cannot have it back; the teacher may give another, under another number
        await student.refused(409, "POST", "/certificates/generate", json={"enrollment_id": enrollment_id})
        other = await teacher.ok("POST", "/certificates/generate", json={"enrollment_id": enrollment_id})
        assert other["certificate_number"] != one["certificate_number"]
    asked = {"action": "certificate.revoke", "target_id": one["id"]}
    assert len((await admin.ok("GET", "/admin/audit-logs", params=asked))["items"]) == 1


async def test_a_course_chooses_how_its_certificates_look(house: House) -> None:
    teacher = await house.teacher()
    course = await factories.course(teacher)
    path = f"/courses/{course['id']}/certificate-template"
    assert (await teacher.ok("GET", path))["is_own"] is False
    pale = await teacher.refused(422, "PATCH", path, json={"ink_color": "#cccccc", "accent_color": "#eeeeee"})
    faults = [(one["field"], one["code"]) for one in pale["errors"]]
    assert faults == [("ink_color", "low_contrast"), ("accent_color", "low_contrast")]
    logo = await teacher.ok("POST", "/files/upload", files=picture())
    theirs = await (await house.student()).ok("POST", "/files/upload", files=picture())
    foreign = await teacher.refused(422, "PATCH", path, json={"logo_file_id": theirs["id"]})
    assert foreign["errors"][0]["field"] == "logo_file_id"
    look = {"language": "ar", "heading": "وثيقة", "paper_color": "#FFF8E7", "signer_name": "Dr. Layla"}
    changed = await teacher.ok("PATCH", path, json={**look, "logo_file_id": logo["id"]})
    assert (changed["is_own"], changed["version"], changed["heading"]) == (True, 1, "وثيقة")
    kept = await teacher.ok("PUT", path, json={"logo_file_id": changed["logo_file_id"], "signer_title": ""})
    assert kept["logo_file_id"] == changed["logo_file_id"]
    await teacher.refused(412, "PATCH", path, json={"text": ""}, headers={"If-Match": '"1"'})
    preview = await teacher.call("GET", f"{path}/preview", params={"student_name": "مُحَمَّد Omar"})
    page = pypdf.PdfReader(io.BytesIO(preview.content)).pages[0]
    said = page.extract_text()
    assert unicodedata.normalize("NFC", "مُحَمَّد") in said  # as on the sheets that are given out, with its marks
    assert "Omar" in said
    assert "Dr. Layla" in said
    assert len(page.images) == 1


def picture() -> dict[str, tuple[str, bytes, str]]:
    """A logo, as a form uploads it."""
    content = io.BytesIO()
    Image.new("RGB", (300, 100), "#0B5F66").save(content, "PNG")
    return {"file": ("logo.png", content.getvalue(), "image/png")}


async def test_a_course_that_gives_none_gives_them_later_and_what_was_given_keeps_its_look(house: House) -> None:
    teacher = await house.teacher()
    async with working(house):
        student, course, _ = await finished(house, teacher)
        await idle(house.services)
        path = f"/courses/{course['id']}/certificate-template"
        await teacher.ok("PATCH", path, json={"is_enabled": False, "language": "ar"})
        late = await house.student()
        enrollment = await factories.enrolled(late, course["id"])
        await late.ok("POST", f"/lessons/{course['lessons'][0]['id']}/complete")
        await idle(house.services)
        assert (await late.ok("GET", "/certificates"))["total"] == 0
        assert await teacher.ok("POST", f"/courses/{course['id']}/certificates") == {"requested": 1}
        await idle(house.services)
        given = await late.ok("GET", f"/enrollments/{enrollment['id']}/certificate")
        assert (given["language"], given["has_pdf"]) == ("ar", True)
        assert await teacher.ok("POST", f"/courses/{course['id']}/certificates") == {"requested": 0}
    [before] = (await student.ok("GET", "/certificates"))["items"]
    assert before["language"] == "en"


async def test_of_an_erased_person_the_number_holds_and_the_name_is_withheld(house: House) -> None:
    teacher, admin = await house.teacher(), await house.admin()
    async with working(house):
        student, _, _ = await finished(house, teacher)
        await idle(house.services)
        [one] = (await student.ok("GET", "/certificates"))["items"]
        await admin.ok("DELETE", f"/users/{student.user_id}", params={"erase": "true"})
        await erased(house, student.user_id)
    told = await teacher.ok("GET", f"/certificates/verify/{one['certificate_number']}")
    assert (told["valid"], told["course_name"], told["completion_date"]) == (True, "Algebra 1", one["completion_date"])
    assert [told[name] for name in ("student_name", "statement", "signature", "sha256")] == [None] * 4
    row = await Certificate.rows().find_one({"_id": one["id"]})
    assert row is not None
    assert "Sara Saleh" not in json.dumps(row, default=str, ensure_ascii=False)
    assert row["student_name"] == WITHHELD
    await teacher.refused(409, "POST", f"/certificates/{one['id']}/replace", json={"reason": "Why not?"})
    assert await teacher.ok("GET", f"/certificates/verify/{UNKNOWN_NUMBER}") == {"valid": False}


async def erased(house: House, user_id: str) -> None:
    """Run the erasure as its job does, once its time has come."""
    await User.rows().update_one({"_id": user_id}, {"$set": {"erase_at": house.services.clock.now()}})
    await house.services.erasure.run(user_id, job_id="job_test")
