"""The player: it goes on where it was left, keeps what a lost line could not tell, and opens what waited on every device."""

from __future__ import annotations

import base64
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
PLAY = """player => {
  player.muted = true; player.playbackRate = 8;
  let known = player.currentTime;
  player.ontimeupdate = () => { known = player.currentTime; };
  const stalls = setInterval(() => {
    if (player.currentTime - known < 1) return;
    known = player.currentTime;
    for (const name of ["waiting", "playing"]) player.dispatchEvent(new Event(name));
  }, 20);
  player.addEventListener("pause", () => clearInterval(stalls), { once: true });
  return player.play();
}"""
"""Over a line that is too slow for it: it stalls again and again, each time a second after it last said where it is."""
RECORD = """() => new Promise((done) => {
  const canvas = document.createElement("canvas");
  canvas.width = 320; canvas.height = 180;
  const ink = canvas.getContext("2d"), pieces = [];
  const recorder = new MediaRecorder(canvas.captureStream(30), { mimeType: "video/webm" });
  recorder.ondataavailable = (event) => pieces.push(event.data);
  recorder.onstop = async () => {
    const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
    done(btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join("")));
  };
  let frames = 0;
  const draw = () => {
    ink.fillStyle = frames % 2 ? "#345" : "#346";
    ink.fillRect(0, 0, 320, 180);
    if (++frames < 30) requestAnimationFrame(draw); else recorder.stop();
  };
  recorder.start();
  draw();
})"""
"""A film of some frames, as the browser's own recorder makes it."""
SHOWN = """() => [...document.getElementById("video").textTracks].filter((one) => one.mode === "showing")
  .map((one) => [one.language, one.label, [...(one.cues ?? [])].map((cue) => cue.text)])"""
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
        enrollment = made(student, "/enrollments", course_id=course["id"])
    return {
        "id": course["id"],
        "enrollment": f"/enrollments/{enrollment['id']}",
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


def is_kept_at(school: DemoSchool, page: Page, path: str, seconds: int) -> None:
    """Wait until the server knows that the player came so far."""
    with school.at_rest(LISTENER) as student:
        for _ in range(200):
            rows = student.get(path).raise_for_status().json()["progress"]
            if any(row["last_position_seconds"] >= seconds for row in rows):
                return
            page.wait_for_timeout(50)
    raise AssertionError("the place was not kept")


def test_a_talk_is_heard_in_pieces_and_opens_the_next_lesson_everywhere(
    open_window: Opener, listening: dict[str, Any], demo_school: DemoSchool
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

    is_kept_at(demo_school, page, listening["enrollment"], 8)
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


def vtt(words: str) -> bytes:
    """Captions of one line, from the first moment on."""
    return f"WEBVTT\n\n00:00:00.000 --> 00:01:00.000\n{words}\n".encode()


def test_a_teacher_adds_captions_and_a_film_shows_those_of_the_pages_language(
    open_window: Opener, demo_school: DemoSchool
) -> None:
    window = open_window(who=TEACHER_EMAIL)
    page = window.page
    page.goto("/teach")
    film = base64.b64decode(page.evaluate(RECORD))
    with demo_school.at_rest() as teacher:
        course = made(teacher, "/courses", title="Watching", description="Some frames.")
        file = teacher.post("/files/upload", files={"file": ("film.webm", film)}).raise_for_status().json()
        lesson = {"content_type": "video", "file_id": file["id"], "is_published": True}
        first = made(teacher, f"/courses/{course['id']}/lessons", title="The film", **lesson)
        teacher.post(f"/courses/{course['id']}/publish").raise_for_status()
    editor = f"/teach/courses/{course['id']}/lessons?lesson={first['id']}"
    page.goto(f"{editor}&lang=en")
    for name, words in (("film.en.vtt", "A slope climbs."), ("film.ar.vtt", "الميل يصعد.")):
        page.set_input_files("#caption_file_ids-picker", {"name": name, "mimeType": "text/vtt", "buffer": vtt(words)})
        expect(page.locator(".picked-name", has_text=name)).to_be_visible()
    with page.expect_navigation():
        page.get_by_role("button", name="Save").click()  # whether they are there yet, or not
    page.goto(editor)
    expect(page.locator(".picked-name", has_text="film.ar.vtt")).to_be_visible()
    wrong = window.look_over()
    for language, label, words in (("en", "English", "A slope climbs."), ("ar", "العربية", "الميل يصعد.")):
        page.goto(f"/learn/{course['slug']}/the-film?lang={language}")
        page.wait_for_function("() => document.querySelector('track[default]').readyState === HTMLTrackElement.LOADED")
        assert page.evaluate(SHOWN) == [[language, label, [words]]]
        assert page.locator("#video track").count() == 2
        wrong += window.look_over()
    assert not wrong + window.faults
