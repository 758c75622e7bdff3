"""The sub-command `bench`: the scenarios of speed and memory, ours beside its peers, as tables, JSON and a page.

Speed is judged by ratios within one run, in the server's CPU time per unit of work: wall time of shared machines is noise.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.perf.arena import Arena
from tests.perf.contestants import PEERS
from tests.perf.scenarios import (
    abuse,
    archives,
    background,
    between_nodes,
    bulk_enrol,
    certificates,
    dashboard,
    deadlines,
    fan_out,
    files,
    gradebook,
    growth,
    inbound,
    mails,
    memory,
    payment_words,
    saving,
    signing_in,
    stalled,
    start,
    upload_memory,
)
from tests.perf.tables import Goal, Table, as_markdown, printed, printed_goals
from tests.perf.toolchains import machine

_BEGIN, _END = "<!-- measured: written by run.py bench --page -->", "<!-- end of what was measured -->"

SCENARIOS: dict[str, tuple[Callable[[Arena], list[Table]], Sequence[Goal]]] = {
    "fan-out": (fan_out.fan_out, fan_out.GOALS),
    "burst": (fan_out.burst, fan_out.BURST_GOALS),
    "inbound": (inbound.inbound, inbound.GOALS),
    "memory": (memory.memory, memory.GOALS),
    "stalled-reader": (stalled.stalled_reader, stalled.GOALS),
    "abuse": (abuse.abuse, abuse.GOALS),
    "signin-storm": (signing_in.signin_storm, signing_in.GOALS),
    "saving": (saving.saving, saving.GOALS),
    "deadlines": (deadlines.deadlines, deadlines.GOALS),
    "dashboard": (dashboard.dashboard, dashboard.GOALS),
    "gradebook": (gradebook.gradebook, gradebook.GOALS),
    "bulk-enrol": (bulk_enrol.bulk_enrol, bulk_enrol.GOALS),
    "bridge": (between_nodes.bridge, between_nodes.BRIDGE_GOALS),
    "two-nodes": (between_nodes.two_nodes, between_nodes.TWO_NODES_GOALS),
    "relay": (background.relay, background.RELAY_GOALS),
    "backlog": (background.backlog, background.BACKLOG_GOALS),
    "kills": (background.kills, background.KILLS_GOALS),
    "mails": (mails.mails, mails.GOALS),
    "mails-distant": (mails.mails_distant, mails.DISTANT_GOALS),
    "growth": (growth.growth, growth.GOALS),
    "certificates": (certificates.certificates, certificates.GOALS),
    "payment-words": (payment_words.payment_words, payment_words.GOALS),
    "files": (files.files, files.GOALS),
    "upload-memory": (upload_memory.upload_memory, upload_memory.GOALS),
    "archive": (archives.archives, archives.GOALS),
    "start": (start.start, start.GOALS),
}
"""Scenario -> what makes its tables, and the goals that they are held against."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which scenarios, how often, against whom, and where the results go."""
    parser.add_argument("scenario", nargs="*", metavar="scenario", help=f"of {', '.join(SCENARIOS)}; default: all")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each, of which the median counts (5)")
    parser.add_argument(
        "--peers", metavar="KEYS", help=f"only these, of {','.join(p.key for p in PEERS)}; none: ours alone"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="0.01: a hundredth of the clients, to try it out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run there")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="write the tables into this page, such as docs/performance.md"
    )


def main(args: argparse.Namespace) -> int:
    """Measure; 2 when there is no such scenario or peer."""
    chosen = args.scenario or list(SCENARIOS)
    only = None if args.peers is None else {key for key in args.peers.split(",") if key != "none"}
    if unknown := (set(chosen) - SCENARIOS.keys()) | ((only or set()) - {peer.key for peer in PEERS}):
        sys.stderr.write(f"there is no {', '.join(sorted(unknown))}\n")
        return 2
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    tables: dict[str, Table] = {}
    with Arena(repeat=args.repeat, scale=args.scale, only=only) as arena:
        for name in chosen:
            for table in SCENARIOS[name][0](arena):
                tables[table.key] = table
                _say(printed(table), "")
    goals = [goal for name in chosen for goal in SCENARIOS[name][1]]
    _say(printed_goals(goals, tables))
    _write(args, goals, tables)
    return 0


def _write(args: argparse.Namespace, goals: Sequence[Goal], tables: dict[str, Table]) -> None:
    shape = {"measured_at": f"{datetime.now(UTC):%Y-%m-%d}", "repeat": str(args.repeat), **machine()}
    if args.json is not None:
        results = {"machine": shape, "tables": [table.as_json() for table in tables.values()]}
        args.json.write_text(json.dumps(results, indent=2) + "\n")
    if args.page is not None:
        before, _, rest = args.page.read_text().partition(_BEGIN)
        shown = "\n".join(f"- {name}: {value}" for name, value in shape.items())
        body = f"{_BEGIN}\n\n{as_markdown(goals, tables)}\n## The machine\n\n{shown}\n\n{_END}"
        args.page.write_text(before + body + rest.partition(_END)[2])


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
