"""Tells a Sentry of what went wrong: every line logged as an error, from REST, pages, sockets, jobs and the background.

A handler of logs, and no integration of the library: nothing is patched, no header is added to anybody's requests, and an
event is made of what `error_events` allows. Sending is a thread's work; what it cannot send in time is dropped.
"""

from __future__ import annotations

import logging
import random
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

from config.logging import WithRequest
from config.settings import VERSION, Settings
from lms_rt.gateways.error_events import TAGS, allowed

if TYPE_CHECKING:
    from sentry_sdk import Client

MAX_QUEUED = 100
"""Reports that wait to be sent; further ones are dropped."""
MAX_PER_MINUTE = 60
"""A storm of one fault is told often enough by so many."""
CLOSE_SECONDS = 2.0
_OURS = ("lms_rt", "handlers", "workers", "documents", "config")
"""The words of these loggers are constants of our own; what happened is in their arguments, which stay here."""
_SILENT = ("sentry_sdk", "urllib3")
_UNTRACED = ("/health", "/ready", "/metrics", "/ws")
_SPAN_BYTES = 8
_log = logging.getLogger(__name__)


class ErrorReports(logging.Handler):
    """Sends what is logged as an error; and of finished requests, if wanted, a sample of how long they took."""

    def __init__(self, settings: Settings, process: str) -> None:
        super().__init__(logging.INFO if settings.sentry_traces_sample_rate else logging.ERROR)
        self.addFilter(WithRequest())
        self._client, self._process = _client(settings), process
        self._traced_share = settings.sentry_traces_sample_rate
        self._minute, self._told = 0, 0
        self._within = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Called by every line that is logged: never raises, never waits, and never tells of itself."""
        if record.name.startswith(_SILENT) or getattr(self._within, "is_busy", False):
            return
        self._within.is_busy = True
        try:
            if record.levelno >= logging.ERROR:
                self._report(record)
            elif record.name == "lms_rt.http":
                self._trace(record)
        except Exception as error:  # noqa: BLE001 - a report that fails harms nobody
            _log.info("an error could not be reported: %s", type(error).__name__)
        finally:
            self._within.is_busy = False

    def close(self) -> None:
        """Send what waits, but not for long."""
        self._client.close(timeout=CLOSE_SECONDS)
        super().close()

    def _report(self, record: logging.LogRecord) -> None:
        from sentry_sdk.utils import event_from_exception  # noqa: PLC0415 - nobody waits for it who has no Sentry

        if not self._may_tell():
            return
        event: dict[str, Any] = {}
        hint: dict[str, Any] = {}
        fault = getattr(record, "fault", None) or (record.exc_info[1] if record.exc_info else None)
        if isinstance(fault, BaseException):
            made, _ = event_from_exception(fault, client_options=self._client.options)
            event = dict(made)
        event |= {
            "level": "fatal" if record.levelno >= logging.CRITICAL else "error",
            "logger": record.name,
            "logentry": {"message": record.msg if _is_constant(record) else f"a fault told by {record.name}"},
            "tags": self._tags(record),
        }
        self._client.capture_event(event, hint)  # type: ignore[arg-type]  # a dict is what it is made of

    def _trace(self, record: logging.LogRecord) -> None:
        """A finished request: its method, pattern, status and duration."""
        if random.random() >= self._traced_share:  # noqa: S311 - a sample
            return
        name, facts = record.getMessage(), vars(record)
        if name.partition(" ")[2].endswith(_UNTRACED):
            return
        trace = {"trace_id": secrets.token_bytes(16).hex(), "span_id": secrets.token_bytes(_SPAN_BYTES).hex()}
        event: dict[str, Any] = {
            "type": "transaction",
            "transaction": name,
            "start_timestamp": record.created - float(facts.get("ms", 0)) / 1000,
            "timestamp": record.created,
            "contexts": {"trace": {**trace, "op": "http.server"}},
            "tags": self._tags(record),
        }
        self._client.capture_event(event)  # type: ignore[arg-type]  # a dict is what it is made of

    def _tags(self, record: logging.LogRecord) -> dict[str, Any]:
        facts = vars(record)
        return {name: facts[name] for name in TAGS if facts.get(name)} | {"process": self._process}

    def _may_tell(self) -> bool:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._told = minute, 0
        self._told += 1
        return self._told <= MAX_PER_MINUTE


def _is_constant(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] in _OURS and isinstance(record.msg, str)


def _client(settings: Settings) -> Client:
    from sentry_sdk import Client  # noqa: PLC0415 - nobody waits for it who has no Sentry

    return Client(
        dsn=settings.sentry_dsn.get_secret_value(),
        environment=settings.sentry_environment or settings.environment.value,
        release=settings.sentry_release or VERSION,
        server_name="",
        default_integrations=False,
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        send_client_reports=False,
        enable_backpressure_handling=False,
        include_local_variables=False,
        include_source_context=True,
        max_request_body_size="never",
        max_breadcrumbs=0,
        trace_propagation_targets=[],
        spotlight=False,
        debug=False,
        transport_queue_size=MAX_QUEUED,
        shutdown_timeout=CLOSE_SECONDS,
        before_send=allowed,  # type: ignore[arg-type]  # events are plain dicts
        before_send_transaction=allowed,  # type: ignore[arg-type]  # as above
        before_breadcrumb=lambda _crumb, _hint: None,
    )


def open_error_reports(settings: Settings, process: str) -> ErrorReports | None:
    """Beside the other handlers of the root logger, when a DSN is set. Raises `ValueError` when it is none."""
    if not settings.sentry_dsn.get_secret_value():
        return None
    reports = ErrorReports(settings, process)
    logging.getLogger().addHandler(reports)
    return reports


def close_error_reports(reports: ErrorReports | None) -> None:
    """The end of the process: nothing more is told."""
    if reports is not None:
        logging.getLogger().removeHandler(reports)
        reports.close()
