"""The figures of the live core. Counted here, served by handlers, listed in `docs/metrics.md`.

Labels come from tables of ours, never from what a client sent: an unknown word is counted as `unknown` or `other`.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from lms_rt.realtime.close_codes import Close

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_KNOWN_CLOSES = frozenset({1000, 1005, 1006, *(close.code for close in Close)})


class LiveMetrics:
    """Counters of one node, in a registry of its own or one that was passed in."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        self.connections = Gauge("ws_connections", "Open live connections.", registry=registry)
        self.subscriptions = Gauge("ws_subscriptions", "Subscriptions of all connections.", registry=registry)
        self.events = Counter("ws_events_total", "Events that channels of this node received.", registry=registry)
        self.deliveries = Counter("ws_deliveries_total", "Frames of events handed to connections.", registry=registry)
        self.conflations = Counter("ws_conflations_total", "States that replaced a waiting one.", registry=registry)
        self.slow_closes = Counter("ws_slow_closes_total", "Connections closed as too slow.", registry=registry)
        recoveries = Counter("ws_recoveries_total", "Subscriptions with a position.", ["result"], registry=registry)
        self.recoveries_ok, self.recoveries_failed = recoveries.labels("ok"), recoveries.labels("failed")
        self.heals = Counter("ws_heals_total", "Gaps that were healed from history.", registry=registry)
        self.bad_frames = Counter("ws_bad_frames_total", "Messages that were no command frames.", registry=registry)
        self.send_queue_bytes = Gauge(
            "ws_send_queue_bytes", "Bytes that wait in send queues, looked at once a second.", registry=registry
        )
        self.clock_error_seconds = Gauge(
            "clock_error_seconds", "How far this node's clock may be from the shared one.", registry=registry
        )
        self.loop_lag_seconds = Histogram(
            "event_loop_lag_seconds",
            "How late the event loop was, at each of 20 times a second.",
            buckets=LAG_BUCKETS,
            registry=registry,
        )
        self.latency_seconds = Histogram(
            "ws_delivery_latency_seconds",
            "From the event's time to the hand-over to this node's connections.",
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self._commands = Counter("ws_commands_total", "Commands that were run.", ["type", "result"], registry=registry)
        self._closes = Counter(
            "ws_closes_total", "Connections that ended, by the number of their close.", ["code"], registry=registry
        )
        self._bound_commands: dict[tuple[str, str], Counter] = {}
        self._bound_closes: dict[int | None, Counter] = {}

    def count_command(self, command_type: str, result: str) -> None:
        """One command more. Both words are of the table of commands: a client's own word would be a label for ever."""
        bound = self._bound_commands.get((command_type, result))
        if bound is None:
            bound = self._bound_commands[command_type, result] = self._commands.labels(command_type, result)
        bound.inc()

    def count_close(self, code: int | None) -> None:
        """One connection less; None: it ended without a number. A number that we do not know is the peer's own."""
        bound = self._bound_closes.get(code)
        if bound is None:
            if code is not None and code not in _KNOWN_CLOSES:
                self._closes.labels("other").inc()
                return
            bound = self._bound_closes[code] = self._closes.labels("none" if code is None else str(code))
        bound.inc()
