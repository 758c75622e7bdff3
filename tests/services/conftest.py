"""An exam to test with: a course, a student, and an attempt that has begun. Made only for tests that ask for them."""

from __future__ import annotations

import pytest

from config.settings import Settings
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.attempts import HandedOutView
from lms_rt.storage.mongo import OpenDatabase
from tests.services.exam import Exam


@pytest.fixture
async def exam(database: OpenDatabase, settings: Settings) -> Exam:
    """The services and a teacher with a published course."""
    made = Exam(settings)
    await made.open_course()
    return made


@pytest.fixture
async def student(exam: Exam) -> Actor:
    """Somebody enrolled in the course."""
    return await exam.student()


@pytest.fixture
async def attempt(exam: Exam, student: Actor) -> HandedOutView:
    """The student's attempt at a quiz of 30 minutes."""
    return await exam.begun(student, await exam.quiz())
