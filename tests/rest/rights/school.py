"""A school with each of the persons of the table of rights, and what they may reach: published, taken back, still a draft.

What a request would use up is made for that request (`FRESH`), so that every answer is that of the whole school.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lms_rt.security.rights import ROLE_OF, Person
from lms_rt.services.notification_rules import Notice
from tests import factories
from tests.clients import Visitor
from tests.house import PASSWORD, House
from tests.rest.audited_exams import losing
from tests.rest.audited_world import World
from tests.rest.certified import UNKNOWN_NUMBER, certified
from tests.rest.rights.filing import bulk_run, fresh_file, fresh_upload, handed_file
from tests.rest.rights.machinery import fresh_job, fresh_webhook
from tests.rest.rights.paying import fresh_order, sold
from tests.rest.rights.sending import begun_upload
from tests.rest.rights.subscribing import subscribing
from tests.rest.rights.talking import fresh_message, fresh_mute, fresh_override, said_and_rated

Ids = dict[str, str]
"""What the paths, queries and bodies of requests are filled with."""

_LESSON = {"title": "Chords", "content_type": "text", "content": "Two *points*."}


class Place(StrEnum):
    """How a course stands: for everybody to see, taken back from view, or published with a lesson and a quiz as drafts."""

    SHOWN = "shown"
    HIDDEN = "hidden"
    DRAFT = "draft"


@dataclass
class RightsSchool:
    """The nine persons, and by place the ids of what there is."""

    house: House
    people: dict[Person, Visitor]
    places: dict[Place, Ids]
    machinery: World

    @property
    def teacher(self) -> Visitor:
        """Whose the courses are."""
        return self.people[Person.TEACHER]

    @property
    def owner(self) -> Visitor:
        """Whose enrolments and attempts are asked for."""
        return self.people[Person.OWNER]

    async def double(self, person: Person) -> Visitor:
        """Somebody new of the same role, for what nobody survives."""
        if person == Person.IMPERSONATOR:
            return await impersonated(self.house, await self.house.student())
        role = ROLE_OF[person]
        if role is None:
            return await self.house.visitor()
        return await self.machinery.another_admin() if role.value == "admin" else await self.house.person(role.value)


async def impersonated(house: House, student: Visitor) -> Visitor:
    """The administrator, who acts as this student."""
    admin, acting = await house.admin(), await house.visitor()
    path = f"/admin/users/{student.user_id}/impersonate"
    acting.take(await admin.ok("POST", path, json={"reason": "To see what they see"}))
    return acting


async def opened(house: House) -> RightsSchool:
    """The school, with everything in it."""
    student, teacher = house.student, house.teacher
    people = {
        Person.STRANGER: await house.visitor(),
        Person.OWNER: await student("Olwen Owner"),
        Person.OTHER: await student(),
        Person.ENROLLED: await student(),
        Person.DROPPED: await student(),
        Person.TEACHER: await teacher(),
        Person.OTHER_TEACHER: await teacher(),
        Person.ADMIN: await house.admin(),
    }
    people[Person.IMPERSONATOR] = await impersonated(house, people[Person.OWNER])
    machinery = World(house, people[Person.ADMIN], people[Person.TEACHER])
    school = RightsSchool(house, people, {}, machinery)
    common = await _in_common(school)
    for place in Place:
        school.places[place] = common | await _furnished(school, place)
    return school


async def _in_common(school: RightsSchool) -> Ids:
    """What hangs on no course."""
    owner, machinery = school.owner, school.machinery
    facts = {"course_title": "Geometry", "author_name": "Tariq", "title": None, "text": "No lesson on Monday."}
    notice = Notice(owner.user_id, "announcement", "announcement.plain", facts)
    await school.house.services.notifications.tell(notice, cause="rights")
    webhook_id, delivery_id = await machinery.delivery()
    return {
        "user_id": owner.user_id,
        "student_id": owner.user_id,
        "graded_item_id": "total",
        "certificate_number": UNKNOWN_NUMBER,
        "instructor_id": school.teacher.user_id,
        "session_id": (await owner.ok("GET", "/auth/sessions"))["items"][0]["id"],
        "notification_id": (await owner.ok("GET", "/notifications"))["items"][0]["id"],
        "job_id": await machinery.dead_letter(),
        "upload_id": await begun_upload(owner),
        "webhook_id": webhook_id,
        "delivery_id": delivery_id,
        **await sold(school),
        **await subscribing(school.house, school.people[Person.ADMIN], owner),
    }


async def _furnished(school: RightsSchool, place: Place) -> Ids:
    """A course with a lesson and a quiz; the owner has sat it and sits it again; who dropped it has done so, too."""
    teacher, people = school.teacher, school.people
    course = await factories.course(teacher, title=f"Geometry {place}")
    course_id = course["id"]
    quiz = await factories.quiz(teacher, course_id, (factories.TRUE_FALSE,))
    enrollment = await factories.enrolled(school.owner, course_id)
    await factories.enrolled(people[Person.ENROLLED], course_id)
    gone = await factories.enrolled(people[Person.DROPPED], course_id)
    graded_id = await submitted(school.owner, quiz["id"])
    left_id = await submitted(people[Person.DROPPED], quiz["id"])
    essay = await factories.quiz(teacher, course_id, (factories.ESSAY,))
    waiting = await factories.waiting(school.owner, essay["id"])
    attempt = await school.owner.ok("POST", "/attempts", json={"quiz_id": quiz["id"], "device_id": "laptop"})
    work = await factories.handed_in(teacher, school.owner, course_id)
    await people[Person.DROPPED].ok("DELETE", f"/enrollments/{gone['id']}")
    ids = await said_and_rated(school, course_id) | {
        "course_id": course_id,
        "course_title": course["title"],
        "lesson_id": course["lessons"][0]["id"],
        "quiz_id": quiz["id"],
        "question_id": attempt["questions"][0]["id"],
        "enrollment_id": enrollment["id"],
        "certificate_id": await certified(school.house, enrollment["id"]),
        "attempt_id": attempt["id"],
        "file_id": await handed_file(school, course_id),
        "graded_id": graded_id,
        "left_enrollment_id": gone["id"],
        "left_attempt_id": left_id,
        "essay_quiz_id": essay["id"],
        "item_id": waiting["item_id"],
        **work,
    }
    if place == Place.HIDDEN:
        await teacher.ok("POST", f"/courses/{course_id}/unpublish")
    if place == Place.DRAFT:
        ids |= await fresh_lesson(school, ids, place) | await fresh_quiz(school, ids, place)
    run = await bulk_run(teacher, course_id)
    told = await teacher.ok("POST", f"/quizzes/{ids['quiz_id']}/live/announce", json={"text": "Hello"})
    void = {"changes": [{"question_id": ids["question_id"], "action": "void"}]}
    regrade = await teacher.ok("POST", f"/quizzes/{ids['quiz_id']}/regrades", json=void)
    return ids | {"control_id": told["control_id"], "regrade_id": regrade["id"], "import_id": run["id"]}


async def submitted(student: Visitor, quiz_id: str) -> str:
    """An attempt at a quiz that is over."""
    attempt = await student.ok("POST", "/attempts", json={"quiz_id": quiz_id, "device_id": "laptop"})
    await student.ok(
        "POST", f"/attempts/{attempt['id']}/submit", json={"lease": attempt["lease"], "device_id": "laptop"}
    )
    return str(attempt["id"])


# --- made for one request ---


async def fresh_course(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another course, which stands as this one does."""
    del ids
    course = await factories.course(school.teacher, title="For once")
    if place == Place.HIDDEN:
        await school.teacher.ok("POST", f"/courses/{course['id']}/unpublish")
    return {"course_id": course["id"], "lesson_id": course["lessons"][0]["id"]}


async def fresh_lesson(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another lesson of this course."""
    body = {**_LESSON, "is_published": place != Place.DRAFT}
    return {"lesson_id": (await school.teacher.ok("POST", f"/courses/{ids['course_id']}/lessons", json=body))["id"]}


async def fresh_quiz(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another quiz of this course."""
    quiz = await factories.quiz(school.teacher, ids["course_id"], (factories.TRUE_FALSE,))
    if place == Place.DRAFT:
        await school.teacher.ok("POST", f"/quizzes/{quiz['id']}/unpublish")
    questions = await school.teacher.ok("GET", f"/quizzes/{quiz['id']}/questions")
    return {"quiz_id": quiz["id"], "question_id": questions["items"][0]["id"]}


async def fresh_preview(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """What a regrade of another quiz of this course would do."""
    made = await fresh_quiz(school, ids, place)
    body = {"changes": [{"question_id": made["question_id"], "action": "void"}]}
    foretold = await school.teacher.ok("POST", f"/quizzes/{made['quiz_id']}/regrades", json=body)
    return made | {"regrade_id": foretold["id"]}


async def fresh_regrade(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """A regrade of another quiz of this course that is through."""
    made = await fresh_preview(school, ids, place)
    await school.teacher.ok("POST", f"/quizzes/{made['quiz_id']}/regrades/{made['regrade_id']}/apply")
    await school.house.services.regrading.carry_out(made["regrade_id"])
    return made


async def fresh_accommodation(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """More time for the owner, in this course and at this quiz."""
    del place
    body = {"student_id": school.owner.user_id, "factor": 1.5}
    await school.teacher.ok("POST", f"/courses/{ids['course_id']}/accommodations", json=body)
    await school.teacher.ok("PUT", f"/quizzes/{ids['quiz_id']}/accommodations", json=body)
    return {}


async def fresh_loss(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """The owner at a timed quiz of another course, which stands as this one does, with a minute that their connection cost."""
    made = await fresh_enrollment(school, ids, Place.SHOWN)
    quiz = await factories.quiz(school.teacher, made["course_id"], (factories.TRUE_FALSE,), time_limit_minutes=30)
    attempt = await school.owner.ok("POST", "/attempts", json={"quiz_id": quiz["id"]})
    await losing(school.house, school.owner, attempt["id"])
    if place == Place.HIDDEN:
        await school.teacher.ok("POST", f"/courses/{made['course_id']}/unpublish")
    return made | {"attempt_id": attempt["id"]}


async def fresh_question(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another question of this quiz."""
    del place
    made = await school.teacher.ok("POST", f"/quizzes/{ids['quiz_id']}/questions", json=factories.NUMERIC)
    return {"question_id": made["id"]}


async def fresh_enrollment(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """The owner in another course, which stands as this one does."""
    course = await fresh_course(school, ids, Place.SHOWN)
    enrollment = await factories.enrolled(school.owner, course["course_id"])
    if place == Place.HIDDEN:
        await school.teacher.ok("POST", f"/courses/{course['course_id']}/unpublish")
    return course | {"enrollment_id": enrollment["id"]}


async def fresh_attempt(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """The owner at another quiz of another course, which stands as this one does."""
    made = await fresh_enrollment(school, ids, Place.SHOWN)
    made |= await fresh_quiz(school, made, Place.SHOWN)
    attempt = await school.owner.ok("POST", "/attempts", json={"quiz_id": made["quiz_id"], "device_id": "laptop"})
    if place == Place.HIDDEN:
        await school.teacher.ok("POST", f"/courses/{made['course_id']}/unpublish")
    return made | {"attempt_id": attempt["id"], "lease": attempt["lease"]}


async def fresh_essay(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """An answer of the owner that waits to be marked, in another course, which stands as this one does."""
    made = await fresh_enrollment(school, ids, Place.SHOWN)
    quiz = await factories.quiz(school.teacher, made["course_id"], (factories.ESSAY,))
    waiting = await factories.waiting(school.owner, quiz["id"])
    if place == Place.HIDDEN:
        await school.teacher.ok("POST", f"/courses/{made['course_id']}/unpublish")
    return made | waiting | {"quiz_id": quiz["id"]}


async def fresh_assignment(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another assignment of this course, for which nobody has done anything."""
    del place
    body = {"course_id": ids["course_id"], "title": "Essay"}
    return {"assignment_id": (await school.teacher.ok("POST", "/assignments", json=body))["id"]}


async def fresh_work(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """What the owner handed in in another course, which stands as this one does."""
    made = await fresh_enrollment(school, ids, Place.SHOWN)
    made |= await factories.handed_in(school.teacher, school.owner, made["course_id"])
    if place == Place.HIDDEN:
        await school.teacher.ok("POST", f"/courses/{made['course_id']}/unpublish")
    return made


async def fresh_grade(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """The same, graded."""
    made = await fresh_work(school, ids, place)
    await school.teacher.ok("POST", f"/assignments/submissions/{made['submission_id']}/grade", json={"grade": 1})
    return made


async def fresh_certificate(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another certificate of the owner."""
    made = await fresh_enrollment(school, ids, place)
    return made | {"certificate_id": await certified(school.house, made["enrollment_id"])}


async def fresh_lease(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """The right to write into the attempt."""
    del place
    path = f"/attempts/{ids['attempt_id']}/take-over"
    return {"lease": (await school.owner.ok("POST", path, json={"device_id": "laptop"}))["lease"]}


async def fresh_session(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another session of the owner."""
    del ids, place
    elsewhere = await school.house.visitor()
    await elsewhere.sign_in(school.owner.user["email"], PASSWORD)
    sessions = (await elsewhere.ok("GET", "/auth/sessions"))["items"]
    return {"session_id": next(one["id"] for one in sessions if one["is_current"])}


async def fresh_student(school: RightsSchool, ids: Ids, place: Place) -> Ids:
    """Another student."""
    del ids, place
    return {"user_id": (await school.house.student()).user_id}


Fresh = Callable[[RightsSchool, Ids, Place], Awaitable[Ids]]

FRESH: Mapping[str, Fresh] = {
    "DELETE /courses/{course_id}": fresh_course,
    "POST /courses/{course_id}/publish": fresh_course,
    "POST /courses/{course_id}/unpublish": fresh_course,
    "PATCH /lessons/reorder": fresh_course,
    "DELETE /lessons/{lesson_id}": fresh_lesson,
    "POST /enrollments": fresh_course,
    "PUT /enrollments/{enrollment_id}": fresh_enrollment,
    "DELETE /enrollments/{enrollment_id}": fresh_enrollment,
    "POST /certificates/{certificate_id}/revoke": fresh_certificate,
    "POST /certificates/{certificate_id}/replace": fresh_certificate,
    "POST /payments/orders/{order_id}/cancel": fresh_order,
    "DELETE /files/{file_id}": fresh_file,
    "PATCH /files/tus/{upload_id}": fresh_upload,
    "DELETE /files/tus/{upload_id}": fresh_upload,
    "DELETE /quizzes/{quiz_id}": fresh_quiz,
    "POST /quizzes/{quiz_id}/publish": fresh_quiz,
    "POST /quizzes/{quiz_id}/unpublish": fresh_quiz,
    "POST /quizzes/{quiz_id}/live/pause": fresh_quiz,
    "POST /quizzes/{quiz_id}/live/resume": fresh_quiz,
    "POST /quizzes/{quiz_id}/live/extend": fresh_quiz,
    "POST /quizzes/{quiz_id}/live/end": fresh_quiz,
    "POST /quizzes/{quiz_id}/questions/{question_id}/correct": fresh_quiz,
    "POST /quizzes/{quiz_id}/regrade": fresh_quiz,
    "POST /quizzes/{quiz_id}/regrades": fresh_quiz,
    "POST /quizzes/{quiz_id}/regrades/{regrade_id}/apply": fresh_preview,
    "POST /quizzes/{quiz_id}/regrades/{regrade_id}/undo": fresh_regrade,
    "DELETE /courses/{course_id}/accommodations": fresh_accommodation,
    "DELETE /quizzes/{quiz_id}/accommodations": fresh_accommodation,
    "DELETE /courses/{course_id}/gradebook/students/{student_id}/grades/{graded_item_id}": fresh_override,
    "POST /attempts/{attempt_id}/time-credit": fresh_loss,
    "DELETE /questions/{question_id}": fresh_question,
    "PATCH /attempts/{attempt_id}/answers": fresh_lease,
    "POST /attempts/{attempt_id}/submit": fresh_attempt,
    "POST /attempts/{attempt_id}/grade": fresh_essay,
    "POST /grading-queue/{item_id}/claim": fresh_essay,
    "DELETE /assignments/{assignment_id}": fresh_assignment,
    "POST /assignments/submissions/{submission_id}/grade": fresh_work,
    "DELETE /assignments/submissions/{submission_id}/grade": fresh_grade,
    "POST /assignments/submissions/{submission_id}/claim": fresh_work,
    "DELETE /auth/sessions/{session_id}": fresh_session,
    "DELETE /courses/{course_id}/messages/{message_id}": fresh_message,
    "DELETE /courses/{course_id}/chat/mutes/{student_id}": fresh_mute,
    "DELETE /users/{user_id}": fresh_student,
    "POST /admin/users/{user_id}/impersonate": fresh_student,
    "POST /admin/dead-letters/{job_id}/retry": fresh_job,
    "DELETE /admin/dead-letters/{job_id}": fresh_job,
    "DELETE /webhooks/{webhook_id}": fresh_webhook,
}
"""By the first method of a row and its path: what is made anew for each who may use it up."""

REPEATABLE = frozenset(
    {
        "POST /courses/{course_id}/publish",
        "POST /courses/{course_id}/unpublish",
        "PATCH /lessons/reorder",
        "PUT /enrollments/{enrollment_id}",
        "DELETE /enrollments/{enrollment_id}",
        "POST /quizzes/{quiz_id}/publish",
        "POST /quizzes/{quiz_id}/unpublish",
    }
)
"""What changes nothing more when it comes again: one thing serves all who may."""
