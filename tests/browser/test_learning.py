"""The player: it goes on where it was left, keeps what a lost line could not tell, and opens what waited on every device."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from lms_rt.services.demo import STUDENT_EMAILS, TEACHER_EMAIL
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
LISTENER = STUDENT_EMAILS[9]
ASKED_SECONDS = 20
PLAY = "player => { player.muted = true; player.playbackRate = 8; return player.play(); }"
REACHED = "at => document.getElementById('video').currentTime >= at"


def sound(seconds: int) -> bytes:
    """A silence that every browser plays."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(1)
        written.setframerate(4_000)
        written.writeframes(b"\x80" * 4_000 * seconds)
    return file.getvalue()


@pytest.fixture(scope="module")
def listening(demo_school: DemoSchool) -> dict[str, Any]:
    """A course with a talk, and a lesson that waits for it; a student is in it."""
    with demo_school.at_rest() as teacher:
        course = made(teacher, "/courses", title="Listening", description="To a silence.")
        file = teacher.post("/files/upload", files={"file": ("talk.wav", sound(60))}).raise_for_status().json()
        path = f"/courses/{course['id']}/lessons"
        talk = {"content_type": "video", "file_id": file["id"], "duration_seconds": ASKED_SECONDS, "is_published": True}
        first = made(teacher, path, title="The talk", **talk)
        after = {"content": "What you heard.", "prerequisite_lesson_ids": [first["id"]], "is_published": True}
        made(teacher, path, title="Afterwards", **after)
        teacher.post(f"/courses/{course['id']}/publish").raise_for_status()
    with demo_school.at_rest(LISTENER) as student:
        made(student, "/enrollments", course_id=course["id"])
    return {
        "id": course["id"],
        "talk": f"/learn/{course['slug']}/the-talk",
        "after": f"/learn/{course['slug']}/afterwards",
    }


def made(who: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    found: dict[str, Any] = who.post(path, json=body).raise_for_status().json()
    return found


def play_to(page: Page, seconds: int) -> None:
    """Play until then, and stop."""
    page.locator("#video").evaluate(PLAY)
    page.wait_for_function(REACHED, arg=seconds)
    page.locator("#video").evaluate("player => player.pause()")


def test_a_talk_is_heard_in_pieces_and_opens_the_next_lesson_everywhere(
    open_window: Opener, listening: dict[str, Any]
) -> None:
    window, other = open_window(who=LISTENER), open_window(who=LISTENER)
    page, waiting = window.page, other.page
    waiting.goto(listening["after"])
    expect(waiting.locator("#locked")).to_contain_text("The talk")
    expect(waiting.locator("#connection")).to_have_attribute("data-line", "live")
    assert not other.look_over()

    page.goto(listening["talk"])
    expect(page.locator("#connection")).to_have_attribute("data-line", "live")
    play_to(page, 8)
    expect(page.locator("#watched progress")).not_to_have_js_property("value", 0)
    expect(page.locator("#complete-state")).to_be_hidden()
    expect(waiting.locator("[data-status=in_progress]")).to_contain_text("The talk")

    page.context.route_web_socket("**/ws*", lambda line: line.close())
    page.context.route("**/progress", lambda route: route.abort())
    page.reload()
    expect(page.locator("#watch-state")).to_contain_text("You were at 0:0")
    play_to(page, ASKED_SECONDS)
    expect(page.locator("#watch-state")).to_contain_text("kept on this device")
    page.context.unroute("**/progress")
    page.goto(listening["after"])  # from another page of the course, too
    expect(page.locator(".prose")).to_have_text("What you heard.")
    expect(waiting.locator(".prose")).to_have_text("What you heard.")
    expect(waiting.locator("[data-status=completed]")).to_contain_text("The talk")


def test_a_teacher_adds_a_sound_and_says_when_it_opens(open_window: Opener, listening: dict[str, Any]) -> None:
    page = open_window(who=TEACHER_EMAIL).page
    page.goto(f"/teach/courses/{listening['id']}/lessons?lesson=new")
    page.fill("#title", "Another talk")
    page.set_input_files("#file_id-picker", {"name": "another.wav", "mimeType": "audio/wav", "buffer": sound(90)})
    expect(page.locator("#duration_minutes")).to_have_value("1.5")
    expect(page.locator("#content_type")).to_have_value("video")
    page.fill("#release_after_days", "3")
    page.get_by_label("Afterwards").check()
    page.get_by_label("Students may see it").check()
    page.get_by_role("button", name="Save").click()
    row = page.locator("#lesson-order > li").last
    expect(row).to_contain_text("Opens later")
    row.get_by_role("link").click()
    expect(page.locator(".picked-name")).to_have_text("another.wav")
    expect(page.locator("#completion-hint")).to_contain_text("90% of the video was watched")
    expect(page.get_by_label("Afterwards")).to_be_checked()
