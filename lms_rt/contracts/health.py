"""Views of the process's health."""

from __future__ import annotations

from typing import Literal

from lms_rt.contracts.base import View

State = Literal["ok", "degraded", "down", "unused"]


class HealthView(View):
    """The process answers."""

    status: Literal["ok"] = "ok"


class CheckView(View):
    """One thing that this node leans on; `latency_ms` is null for what is unused."""

    state: State
    latency_ms: float | None = None


class ChecksView(View):
    """Everything that this node leans on."""

    database: CheckView
    redis: CheckView
    tasks: CheckView
    storage: CheckView
    clock: CheckView


class ReadyView(View):
    """May this node be sent requests?"""

    status: Literal["ok", "degraded", "down"]
    checks: ChecksView
    node: str
    version: str
