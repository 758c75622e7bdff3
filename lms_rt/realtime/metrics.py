"""The figures of the live core. Counted here, served by handlers."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


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
        self.commands = Counter("ws_commands_total", "Commands that were run.", ["type", "result"], registry=registry)
        self.send_queue_bytes = Gauge("ws_send_queue_bytes", "Bytes that wait in send queues.", registry=registry)
        self.loop_lag_seconds = Gauge("event_loop_lag_seconds", "How late the node's beat was.", registry=registry)
        self.latency_seconds = Histogram(
            "ws_delivery_latency_seconds",
            "From the event's time to the hand-over to this node's connections.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
            registry=registry,
        )
