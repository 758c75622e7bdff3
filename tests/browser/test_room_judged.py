"""The quiz room by what it is judged by: quiet, right about the time, small, told apart without colour, usable when zoomed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import monotonic
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from lms_rt.contracts.numbers import read_number
from lms_rt.services.demo import STUDENT_EMAILS
from tests.browser.room import Interjector, RoomPage, make_quiz
from tests.browser.window import DemoSchool, Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
QUIET, AHEAD, BEHIND, SMALL, ZOOMED, GREY = STUDENT_EMAILS[19:25]
MAX_ROOM_BYTES = 150_000
STEP_MS = 2000
PATIENCE_SECONDS = 30
SHIFTED = """
window.shiftMs = %d;
const now = Date.now.bind(Date);
Date.now = () => now() + window.shiftMs;
const origin = performance.timeOrigin;
Object.defineProperty(Performance.prototype, "timeOrigin", { get: () => origin + %d });
"""
LISTEN = """
window.heard = [];
for (const id of ["say", "say-now", "status-line"]) {
  const place = document.getElementById(id);
  const note = () => window.heard.push([id, place.textContent.trim()]);
  new MutationObserver(note).observe(place, { childList: true, characterData: true, subtree: true });
}
"""
READ = "async ([path, typed]) => { const { readNumber } = await import(`${path}room-numbers.js`); return typed.map(readNumber); }"
NUMBERS = [
    *("3.14", "3,14", "٣٫١٤", "۳٫۱۴", "-٥", "− 5", "+.5", "5.", "007", "-0", "0.50", "1e3", "1.2E-3", "\u200f3,5"),
    *("1,234", "1,234,567", "1.234,5", "1 234 567", "1'234.5", "١٬٢٣٤٬٥٦٧", "12,34,567", "1,234.5,6", "1000,000.5"),
    *("", "-", ".", "abc", "1e", "22/7", "0x1f", "1_000", "½", "1e1000", "3 cm", "NaN", "Infinity"),
    *(
        "1e300",
        "1e301",
        "1e400",
        "0.1e-300",
        "0e999",
        "1" * 40,
        "1" * 41,
        "0" * 39 + "1",
        "1" * 40 + ".5",
        "0." + "0" * 39 + "1",
    ),
]
STATES = ("saving", "saved", "waiting", "conflict", "refused", "late", "paused")
EDGES = """
async ([path, kinds]) => {
  const { state } = await import(`${path}states.js`);
  const { make } = await import(`${path}html.js`);
  return kinds.map((kind) => {
    const shown = document.getElementById("closed-view").parentElement.appendChild(make(state(kind, kind)));
    const { borderTopStyle, borderTopWidth } = getComputedStyle(shown);
    const icon = shown.querySelector("use").getAttribute("href");
    const isDrawn = document.querySelector(icon) !== null;
    shown.remove();
    return [icon, isDrawn, borderTopStyle, borderTopWidth];
  });
}
"""


@pytest.fixture(scope="module")
def quiz_id(demo_school: DemoSchool) -> str:
    """A quiz with every kind of question."""
    return make_quiz(demo_school)


class DrivenTime(Interjector):
    """The page's clock runs as fast as the test wants, and so does the server's as far as the page can tell."""

    def __init__(self, window: Window) -> None:
        super().__init__(window)
        self._page, self._ahead_ms, self._unanswered = window.page, 0, set[Any]()
        window.page.clock.install()

    def _connected(self, socket: WebSocketRoute) -> None:
        self._unanswered = set()  # what was asked by the line before has no reply any more
        super()._connected(socket)

    def _asked(self, socket: WebSocketRoute, server: WebSocketRoute, message: str | bytes) -> None:
        self._unanswered.add(json.loads(message)["id"])
        super()._asked(socket, server, message)

    def _passed(self, socket: WebSocketRoute, message: str | bytes) -> None:
        frame = json.loads(message)
        if "ok" in frame:
            self._unanswered.discard(frame["id"])
        super()._passed(socket, json.dumps(self._later(frame)))

    def cut(self) -> None:
        """Nobody waits for a reply any more; one that is on its way may still come."""
        super().cut()
        self._unanswered = set()

    def _later(self, frame: Any) -> Any:
        result = frame.get("result")
        if isinstance(result, dict):
            for name in ("t1", "t2"):
                if name in result:
                    result[name] += self._ahead_ms
            if "server_time" in result:
                at = datetime.fromisoformat(result["server_time"]) + timedelta(milliseconds=self._ahead_ms)
                result["server_time"] = at.isoformat()
        return frame

    def pass_on(self) -> float:
        """Two seconds go by for the page, and no reply takes longer than that; what is left then, in ms."""
        self._ahead_ms += STEP_MS
        self._page.clock.run_for(STEP_MS)
        until = monotonic() + PATIENCE_SECONDS
        while self._unanswered:
            assert monotonic() < until, f"no reply to {self._unanswered}"
            self._page.wait_for_timeout(5)
        return self._left_ms()

    def _left_ms(self) -> float:
        return (self.deadline() - self._now()).total_seconds() * 1000

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(milliseconds=self._ahead_ms)

    def correct(self, *, announce: bool = False) -> None:
        """The server's word about the time, as every 30 s and at the thresholds."""
        times = {"deadline_at": self.deadline().isoformat(), "server_time": self._now().isoformat()}
        self.tell_state("quiz_timer", times | {"remaining_ms": self._left_ms(), "announce": announce})


def test_ten_quiet_minutes(open_window: Opener, demo_school: DemoSchool) -> None:
    """Only thresholds are spoken, and not even they move the line; the corrections in between are silent. Also offline."""
    window = open_window(who=QUIET)
    server = DrivenTime(window)
    room = RoomPage.start(window, QUIET, make_quiz(demo_school, time_limit_minutes=16))
    page = room.page
    room.choose("y = 3")
    room.expect_state("saved")
    page.evaluate(LISTEN)
    thresholds = [600_000, 480_000]
    for step in range(10 * 60_000 // STEP_MS):
        left_ms = server.pass_on()
        if thresholds and left_ms <= thresholds[0]:
            thresholds.pop(0)
            server.correct(announce=True)
        elif step % 15 == 0:
            server.correct()
    server.pass_on()
    assert thresholds == []
    spoken = [words for where, words in page.evaluate("window.heard") if words]
    assert spoken == ["10 minutes left", "8 minutes left"]
    assert page.evaluate("window.heard.filter(([where]) => where === 'status-line')") == []
    expect(page.locator("#clock")).to_have_text(re.compile(r"^[56]:\d\d$"))
    expect(room.line).to_contain_text("All answers saved (1)")
    assert window.look_over(has_axe=False) == []
    window.cut_off()
    server.cut()
    while server.pass_on() > 298_000:
        pass
    expect(page.locator("#say")).to_have_text("5 minutes left")  # nobody announces it: by its own reckoning
    assert [words for _, words in page.evaluate("window.heard") if "minutes left" in words] == [
        *spoken,
        "5 minutes left",
    ]
    expect(room.line).to_contain_text("Offline. Keep working")
    assert window.look_over() == []


def left_on(page: Page) -> float:
    """What the clock shows, in seconds."""
    minutes, _, seconds = page.locator("#clock").inner_text().partition(":")
    return int(minutes) * 60 + int(seconds)


@pytest.mark.parametrize(("who", "shift_ms"), [(AHEAD, 600_000), (BEHIND, -600_000)], ids=["ahead", "behind"])
def test_a_wrong_clock_of_the_device_changes_nothing(
    who: str, shift_ms: int, open_window: Opener, demo_school: DemoSchool
) -> None:
    """Never later than the server, and not earlier than its stated error; also when the device's clock is set meanwhile."""
    window = open_window(who=who)
    window.before_pages(SHIFTED % (shift_ms, shift_ms))
    server = Interjector(window)
    room = RoomPage.start(window, who, make_quiz(demo_school, time_limit_minutes=9))
    page = room.page
    expect(page.locator("#clock")).to_have_text(re.compile(r"^8:\d\d$"))
    for later_ms in (shift_ms, -shift_ms):
        page.evaluate("ms => { window.shiftMs = ms; }", later_ms)
        page.locator("#clock-button").click()
        error = page.locator("#clock-panel dd").nth(1)
        expect(error).to_have_text(re.compile(r"^±\d+(\.\d)? s$"))
        stated = re.search(r"[\d.]+", error.inner_text())
        assert stated is not None
        expect(page.locator("#clock")).to_have_text(re.compile(r"^8:\d\d$"))
        before = (server.deadline() - datetime.now(UTC)).total_seconds()
        shown = left_on(page)
        after = (server.deadline() - datetime.now(UTC)).total_seconds()
        assert after - float(stated[0]) - 2 <= shown <= before
        page.locator("#clock-button").click()


def test_the_room_is_small(open_window: Opener, quiz_id: str) -> None:
    """All that a browser fetches that was never here: the page, its scripts and sheets, the calls that it makes."""
    window = open_window(who=SMALL)
    with window.school.at_rest(SMALL) as student:
        attempt = student.post("/attempts", json={"quiz_id": quiz_id}).raise_for_status().json()
    page = window.new_page()
    sizes: list[int] = []
    wire = page.context.new_cdp_session(page)
    wire.send("Network.enable")
    wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
    wire.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    page.goto(f"/attempts/{attempt['id']}")
    expect(page.locator("#status-line")).to_contain_text("This page is read-only")
    page.wait_for_load_state("networkidle")
    assert 40_000 < sum(sizes) <= MAX_ROOM_BYTES


def test_the_room_at_twice_the_size(open_window: Opener, quiz_id: str) -> None:
    """200 % zoom of a window of 1280: nothing scrolls sideways, and what is stuck leaves the question its room."""
    window = open_window(who=ZOOMED, width=640)
    page = window.page
    page.set_viewport_size({"width": 640, "height": 400})
    with window.school.at_rest(ZOOMED) as student:
        attempt = student.post("/attempts", json={"quiz_id": quiz_id}).raise_for_status().json()
    page.goto(f"/attempts/{attempt['id']}?lang=ar&theme=dark")
    page.get_by_role("button", name="تابِع هنا").click()
    room = RoomPage(window.school, ZOOMED, page)
    for place in (1, 5, 6, 7):
        room.to(place)
        assert window.look_over(has_axe=False) == [], f"question {place}"
    room.to(1)
    option = page.locator(".option").last
    option.locator("input").focus()
    page.keyboard.press("ArrowUp")
    covered = """element => { const { x, y, width, height } = element.getBoundingClientRect();
      return !element.contains(document.elementFromPoint(x + width / 2, y + height / 2)); }"""
    assert page.locator(".option:has(:focus)").evaluate(covered) is False


def test_a_number_is_said_to_be_read_where_the_server_reads_it(open_window: Opener) -> None:
    page = open_window().page
    page.goto("/")
    path = page.evaluate("document.querySelector('link[href*=\"/static/\"]').href.replace(/[^/]*$/, '')")
    read = page.evaluate(READ, [path, NUMBERS])
    numbers = [read_number(typed) for typed in NUMBERS]
    assert [shown is None for shown in read] == [number is None for number in numbers]
    plain = [shown and shown.replace("−", "-").replace(" × 10^", "e") for shown in read]
    assert [shown and Decimal(shown) for shown in plain] == numbers


def test_states_are_told_apart_without_colour(open_window: Opener, quiz_id: str) -> None:
    """Each has an icon of its own, and an edge of its own but for the two that both mean: not counted."""
    window = open_window(who=GREY)
    room = RoomPage.start(window, GREY, quiz_id)
    path = room.page.evaluate("document.querySelector('link[href*=\"/static/\"]').href.replace(/[^/]*$/, '')")
    for colours in ("none", "active"):
        room.page.emulate_media(forced_colors=colours)
        looks = room.page.evaluate(EDGES, [path, STATES])
        assert all(is_drawn for _, is_drawn, _, _ in looks)
        assert len({icon for icon, *_ in looks}) == len(STATES)
        edges = {kind: tuple(look[2:]) for kind, look in zip(STATES, looks, strict=True)}
        assert all(style != "none" for style, _ in edges.values())
        assert len({edges[kind] for kind in ("saving", "saved", "waiting", "conflict", "refused")}) == 5
    room.page.emulate_media(forced_colors="active")
    room.choose("y = 3")
    room.expect_state("saved")
    assert window.look_over(has_axe=False) == []
