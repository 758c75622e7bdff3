"""A live line whose events are late, as a window meets it while the node cannot reach Redis."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Route, WebSocketRoute

from tests.browser.window import Window


class LateEvents:
    """Stands in the live line of a window, and on request does what a node does while Redis is away."""

    def __init__(self, window: Window) -> None:
        self._window, self._is_late = window, False
        window.page.route_web_socket(re.compile("/ws\\?"), self._connected)
        window.page.route(re.compile(r"/api/v1/quizzes/[^/]+/live$"), self._read)

    def begin(self) -> None:
        """No states, no subscribing, nobody known to be there."""
        self._is_late = True
        self._notice("degraded")

    def end(self) -> None:
        """All as it was."""
        self._is_late = False
        self._notice("restored")

    def _notice(self, kind: str) -> None:
        self._socket.send(json.dumps({"type": kind}))

    def _connected(self, socket: WebSocketRoute) -> None:
        server, self._socket = socket.connect_to_server(), socket
        socket.on_message(lambda message: self._asked(server, message))
        server.on_message(self._told)

    def _asked(self, server: WebSocketRoute, message: str | bytes) -> None:
        command = json.loads(message)
        if not self._is_late or command["type"] != "subscribe":
            server.send(message)
            return
        error = {"code": "unavailable", "message": "", "fields": [], "data": {}}
        self._socket.send(json.dumps({"id": command["id"], "ok": False, "error": error}))

    def _told(self, message: str | bytes) -> None:
        kind = json.loads(message).get("type")
        if not (self._is_late and kind in ("event", "state")):
            self._socket.send(message)
        if self._is_late and kind == "welcome":
            self._notice("degraded")

    def _read(self, route: Route) -> None:
        reply = route.fetch()
        view = reply.json()
        if self._is_late:
            view["totals"]["connected"] = 0
            nowhere: dict[str, Any] = {
                "is_connected": False,
                "devices": 0,
                "away_since": None,
                "question_id": None,
                "flags": [],
            }
            for row in view["students"]:
                row.update(nowhere)
        route.fulfill(response=reply, json=view)
