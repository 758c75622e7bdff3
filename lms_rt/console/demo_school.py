"""The demo school, whole: its people, their courses, their quizzes. Made once, as often as it is asked for."""

from __future__ import annotations

from collections.abc import Mapping

from lms_rt.bootstrap import Services
from lms_rt.services.demo import TEACHER_EMAIL, DemoPeople
from lms_rt.services.demo_courses import DemoCourses, find_actor
from lms_rt.services.demo_quizzes import DemoQuizzes


async def open_demo_school(services: Services, *, are_passwords_random: bool = False) -> Mapping[str, str]:
    """Make what is missing; the passwords of the accounts made just now, by address."""
    people = DemoPeople(accounts=services.accounts, passwords=services.passwords)
    made = await people.ensure(are_passwords_random=are_passwords_random)
    courses = DemoCourses(
        courses=services.courses,
        lessons=services.lessons,
        enrollments=services.enrollments,
        progress=services.progress,
    )
    new_courses = await courses.ensure()
    teacher = await find_actor(TEACHER_EMAIL)
    if teacher is not None and new_courses:
        quizzes = DemoQuizzes(quizzes=services.quizzes, questions=services.questions)
        await quizzes.add(teacher, new_courses)
    return made
