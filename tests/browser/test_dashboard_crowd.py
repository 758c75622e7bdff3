"""The live dashboard of 2,000 students who all change: nothing moves under a hand, and no task holds the page up."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from lms_rt.services.demo import TEACHER_EMAIL
from tests.browser.exam import Exam, follow
from tests.browser.window import Window

pytestmark = pytest.mark.browser

Opener = Callable[..., Window]
CROWD = 2_000
FRAMES = 8
LONGEST_TASK_MS = 50
KEEP_SOCKET = """
const Plain = window.WebSocket;
window.WebSocket = class extends Plain {
  constructor(...given) { super(...given); window.kept = this; }
};
"""
MAKE = """([rows, frame, count]) => {
  window.fed = Array.from({ length: count }, (_, place) => {
    const n = place + 2;
    const students = rows.map((row, number) => ({
      ...row,
      is_connected: (number + n) % 17 > 0,
      answered_count: (number + n) % 4,
      flags: (number + n) % 5 ? [] : ["hidden"],
      revision: n,
    }));
    return JSON.stringify({ ...frame, data: { ...frame.data, version: n, follows: n - 1, students } });
  });
}"""
HEAR = """async (count) => {
  for (const data of window.fed.splice(0, count)) {
    window.kept.onmessage({ data });
    await new Promise((done) => setTimeout(done, 250));
  }
}"""


def _crowd() -> list[dict[str, Any]]:
    """Rows of 2,000 students."""
    return [
        {
            "attempt_id": f"att_{number:04}",
            "student_id": f"usr_{number:04}",
            "full_name": f"Student {number * 7919 % CROWD}",
            "attempt_number": 1,
            "started_at": f"2026-01-01T00:{number // 60:02}:{number % 60:02}.000Z",
            "last_saved_at": "2026-01-01T01:00:00.000Z",
            "is_connected": True,
            "away_since": None,
            "devices": 1,
            "question_id": None,
            "answered_count": 0,
            "deadline_at": "2126-01-01T00:00:00.000Z",
            "paused_at": None,
            "remaining_ms": 1000,
            "group": "Morning" if number % 2 else "Evening",
            "take_overs": 0,
            "credit_asked_seconds": None,
            "status": "in_progress",
            "score": None,
            "max_score": None,
            "flags": [],
            "revision": 1,
        }
        for number in range(CROWD)
    ]


def _longest_task_ms(trace: bytes) -> float:
    """Of the page's main threads, by the time that they computed: a neighbour on the machine lengthens nothing."""
    events = json.loads(trace)["traceEvents"]
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [event for event in events if event["name"].endswith("RunTask") and (event["pid"], event["tid"]) in main]
    longest_ms = max(float(task.get("tdur", 0)) for task in tasks) / 1000
    assert longest_ms > 1, "nothing was traced"  # a frame of 2,000 rows takes longer than that
    return longest_ms


def _opened(window: Window, exam: Exam, query: str) -> tuple[Page, dict[str, Any]]:
    """The dashboard on a snapshot of the crowd."""
    page, stored = window.page, exam.stored()
    totals = stored["totals"] | {"students": CROWD, "in_progress": CROWD}
    page.add_init_script(KEEP_SOCKET)
    snapshot = stored | {"version": 1, "students": _crowd(), "totals": totals}
    page.route(re.compile(r"/api/v1/quizzes/[^/]+/live$"), lambda route: route.fulfill(json=snapshot))
    follow(window, exam, query)
    return page, totals


def test_two_thousand_changing_rows_move_nothing_under_a_hand(
    chromium: Browser, open_window: Opener, exam: Exam
) -> None:
    page, totals = _opened(open_window(who=TEACHER_EMAIL), exam, "?sort=name")
    expect(page.locator("#range")).to_have_text("1–50 of 2,000")
    data = {"questions": [], "totals": totals, "removed": []}
    frame = {"type": "state", "channel": f"quiz:{exam.quiz['id']}:live", "event": "dashboard", "data": data}
    page.evaluate(MAKE, [_crowd(), frame, 2 * FRAMES])
    revision = 1
    for view, tenth in (("list", page.locator("#rows tr").nth(9)), ("room", page.locator("#room li").nth(9))):
        page.locator(f'[data-view-choice="{view}"]').click()
        tenth.hover()
        before = (tenth.get_attribute("data-attempt"), tenth.bounding_box())
        chromium.start_tracing(page=page, categories=["toplevel"])
        page.evaluate(HEAR, FRAMES)
        revision += FRAMES
        number = int((before[0] or "").removeprefix("att_"))
        expect(tenth).to_contain_text(f"{(number + revision) % 4} of 3")
        longest_ms = _longest_task_ms(chromium.stop_tracing())
        assert (tenth.get_attribute("data-attempt"), tenth.bounding_box()) == before
        assert longest_ms < LONGEST_TASK_MS, view
