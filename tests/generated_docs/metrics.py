"""`docs/metrics.md`: every figure that `/metrics` gives, with its labels and what they may say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from handlers.observing import HttpFigures
from lms_rt.bus.counted import counted
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import Clock
from lms_rt.realtime.metrics import LiveMetrics
from lms_rt.services import figures
from tests.generated_docs.shapes import MADE, code, table

LABELS: Mapping[tuple[str, str], str] = {
    ("http_requests", "method"): "`GET`, `POST`, …, or `other`",
    ("http_requests", "route"): "a pattern of the route table, never a path; `unmatched`; of pages their class",
    ("http_requests", "status"): "the status that was answered",
    ("http_request_duration_seconds", "method"): "as of `http_requests_total`",
    ("http_request_duration_seconds", "route"): "as of `http_requests_total`",
    ("ws_commands", "type"): "a command of the protocol, or `unknown`",
    ("ws_commands", "result"): "`done`, `refused` (by a rule), `failed` (a fault of ours)",
    ("ws_closes", "code"): "a number of ours; `1000`, `1005`, `1006`; `none` (cut), `other` (the client's own)",
    ("ws_recoveries", "result"): "`ok`, `failed` (the client has to fetch the snapshot)",
    ("bus_publishes", "kind"): "`event` (of record), `direct`, `state`, `poke`, `word` (to the nodes)",
    ("bus_publishes", "result"): "`done`, `repeated` (the channel has had it), `refused` (the bus is away)",
    ("sign_ins", "result"): "`right`, `wrong`, `locked` (the account, there), `limited` (the address)",
    (
        "rate_limited",
        "class",
    ): "`general`, `auth`, `sign_in`, `failed_sign_in`, `attempts`, `uploads`, `pages`, `refused_words` …, see [limits.md](limits.md)",
    ("attempts_finished", "by"): "`student`, `deadline`, `instructor`",
    ("webhook_deliveries", "result"): "`delivered`, `failed` (this attempt)",
    ("mails", "template"): "a name of the catalogue of mails",
    (
        "mails",
        "result",
    ): "`sent`, `unwanted`, `nobody` (no account, or one of the demo school), `failed` (again later), `refused` (for good), `resting` (the address was refused before)",
    ("payment_findings", "kind"): "what there is to find: [refunds.md](refunds.md)",
    ("payments_foreign", "gateway"): "as of `payments_total`",
    ("payments_mended", "kind"): "as of `payment_findings`",
    ("payment_comparison_age_seconds", "gateway"): "a gateway that is set up",
    ("payment_comparison_incomplete", "gateway"): "as of `payment_comparison_age_seconds`",
    ("payment_comparison_left_out", "gateway"): "as of `payment_comparison_age_seconds`",
    (
        "payment_comparison_left_out",
        "what",
    ): "`payments` (not compared), `paid_again` (compared, but for whether they were paid again)",
    ("payments", "gateway"): "`stripe`, `paymob`, `myfatoorah`, `sandbox`; `none`: of an order that cost nothing",
    (
        "payments",
        "status",
    ): "the state it came to: `completed`, `failed`, `cancelled`, `expired`, `refund_pending`, `partially_refunded`, `refunded`",
    ("gateway_events", "gateway"): "as of `payments_total`",
    (
        "gateway_events",
        "outcome",
    ): "`kept`, `repeated`, `forged` (as it came); `changed`, `same`, `held`, `unknown`, `foreign`, `ignored`, `refused` … (settled)",
    ("tasks", "queue"): "`emails`, `certificates`, `webhooks`, `progress`, `payments`",
    ("tasks", "result"): "`done`, `retried`, `dead`",
    ("task_duration_seconds", "queue"): "as of `tasks_total`",
    ("queue_length", "queue"): "as of `tasks_total`",
}
"""What the values of each label are: all of them from tables of ours. A label that is not here breaks the build."""

_INTRODUCTION = f"""# Metrics

<!-- {MADE} -->

`GET /metrics` speaks Prometheus' text format: to whoever shows `METRICS_TOKEN`, without one to this machine alone
([configuration.md](configuration.md)). Each node has figures of its own, so scrape the nodes, not the proxy. Beside the
figures below stand Python's own (`python_gc_*`, `process_*`).

No label takes its values from outside: whatever clients send as paths, methods, command types or close codes, the number of
series stays as it is. A test walks `/metrics` after odd input to hold that.
"""
_WATCH = """
## What to watch

| when | it means |
| --- | --- |
| `bus_reachable == 0` | Redis is away: writes stand, events wait in outboxes, clients were told `degraded` |
| `outbox_oldest_seconds > 10` | the relay does not get its events out |
| `histogram_quantile(0.99, rate(event_loop_lag_seconds_bucket[1m])) > 0.1` | something holds the loop: this node is full |
| `rate(ws_recoveries_total{result="failed"}[5m])` rises | clients are away for longer than the history is kept |
| `rate(ws_closes_total{code="4008"}[5m])` rises | readers cannot keep up, or somebody only pretends to read |
| `rate(ws_closes_total{code="4010"}[5m]) > 0` | gaps that the history could not heal, or a new epoch |
| `rate(ws_closes_total{code="4529"}[5m]) > 0` | somebody floods; `4500`: somebody sends garbage |
| `rate(ws_closes_total{code="1013"}[5m]) > 0` | more came at once than this node lets in |
| `rate(sign_ins_total{result="wrong"}[5m])` far above the usual | somebody guesses passwords, whichever accounts he tries |
| `rate(rate_limited_total[5m])` rises | somebody asks too much, or a limit is too narrow for the school |
| `payment_findings > 0` | something about money waits for a person; what each kind is: [refunds.md](refunds.md) |
| `payment_comparison_age_seconds > 180000` | for two nights what a gateway says was not compared whole: it is away, or its list was cut |
| `rate(gateway_events_total{outcome="forged"}[5m]) > 0` | a wrong webhook secret, or somebody who invents payments |
| `clock_error_seconds > 0.25` | deadlines are less exact than promised |
"""
_HEADS = ("figure", "kind", "labels", "what it is")


def metrics() -> str:
    """The page."""
    rows = [
        (code(_shown_name(metric)), str(metric._type), "<br>".join(_labels(metric)), str(metric._documentation))
        for metric in sorted(_metrics(), key=lambda metric: metric._name)
    ]
    return f"{_INTRODUCTION}\n{table(_HEADS, rows)}\n{_WATCH}"


def _metrics() -> Iterator[MetricWrapperBase]:
    registry = CollectorRegistry()
    HttpFigures(registry)
    LiveMetrics(registry)
    counted(memory_bus(Clock()), registry)
    for collector in (*registry._collector_to_names, *vars(figures).values()):
        if isinstance(collector, MetricWrapperBase):
            yield collector


def _shown_name(metric: MetricWrapperBase) -> str:
    return f"{metric._name}_total" if metric._type == "counter" else metric._name


def _labels(metric: MetricWrapperBase) -> Iterator[str]:
    for name in metric._labelnames:
        yield f"{code(name)}: {LABELS[metric._name, name]}"
