"""`run.py bench` works: every scenario that needs no other server, in miniature; and the arithmetic of its tables.

Those that take longest run under `--soak`.

Nothing here looks at how fast anything was.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from tests.perf import bench, load
from tests.perf.arena import Arena
from tests.perf.contestants import OURS
from tests.perf.load import ROOT, Load
from tests.perf.nuisances import KINDS
from tests.perf.programs import Program
from tests.perf.scenarios import (
    abuse,
    archives,
    background,
    between_nodes,
    certificates,
    dashboard,
    deadlines,
    files,
    growth,
    mails,
    payment_words,
    saving,
    signing_in,
    stalled,
    upload_memory,
)
from tests.perf.tables import Goal, Sample, Table, printed, printed_goals
from tests.servers.processes import run_forked

_PAGE = "# Performance\n\nBefore.\n\n<!-- measured: written by run.py bench --page -->\nold\n<!-- end of what was measured -->\n\nAfter.\n"


@pytest.fixture(scope="module", autouse=True)
def forked() -> Iterator[None]:
    """All but the first, which is the command itself: no test looks at how long anything takes to start."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Program, "is_forked", True)
        yield


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with Arena(repeat=1, scale=0.002, only=("ws", "gorilla")) as opened:
        yield opened


def _bench(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "run.py", "bench", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def test_a_bench_makes_tables_json_and_the_page(tmp_path: Path) -> None:
    found, page = tmp_path / "found.json", tmp_path / "page.md"
    page.write_text(_PAGE)
    words = ("burst", "inbound", "--scale", "0.002", "--repeat", "1", "--peers", "tornado-str")
    done = _bench(*words, "--json", str(found), "--page", str(page))
    assert done.returncode == 0, done.stdout + done.stderr
    measured = {table["key"]: table for table in json.loads(found.read_text())["tables"]}
    runs = {key: [(name, len(values)) for name, values in table["runs"].items()] for key, table in measured.items()}
    assert runs == {
        "burst": [("Tornado `write_message(str)`", 1), (OURS, 1)],
        "inbound": [("Tornado `WebSocketHandler`", 1), (OURS, 1)],
    }
    for table in measured.values():
        assert table["title"] in done.stdout
        assert f"## {table['title']}" in page.read_text()
    assert page.read_text().startswith("# Performance\n\nBefore.\n")
    assert page.read_text().endswith("-->\n\nAfter.\n")
    assert "\nold\n" not in page.read_text()


@pytest.mark.parametrize("words", [("nonsense",), ("fan-out", "--peers", "nobody")])
def test_what_does_not_exist_is_named(words: tuple[str, ...]) -> None:
    done = run_forked([sys.executable, str(ROOT / "run.py"), "bench", *words], env=dict(os.environ), timeout=100)
    assert done.returncode == 2
    assert "there is no no" in done.stderr


def test_the_load_in_python_does_what_the_compiled_one_does(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "load_command", lambda: [sys.executable, "-m", "tests.perf.load_in_python"])
    with arena.started(arena.ours(), clients=6) as running:
        heard = running.load.rounds(3, 2)
        asked = running.load.ask(12, 3, running.contestant.ping)
        running.load.stall(2)
        rest = running.load.pace(5, 100)
    assert [heard.count, asked.count, rest.count] == [6 * 3 * 2, 12, 4 * 5]
    assert 0 < heard.p50_us <= heard.p99_us <= heard.max_us


def test_a_peer_that_cannot_run_here_is_named_and_the_others_go_on(
    arena: Arena, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    table = Table("x", "X", "µs")
    arena.contest(table, [*arena.find_peers(("ws", "gorilla")), arena.ours()], lambda it: it.rounds(1), clients=2)
    assert table.absent == {"Node `ws`": "npm", "gorilla/websocket (Go)": "go"}
    assert "Not run here: Node `ws`; missing: npm." in printed(table)
    assert table.value(OURS) is not None


def _table(**values: list[float]) -> Table:
    table = Table("x", "X", "µs")
    for name, runs in values.items():
        for run in runs:
            table.add(name, Sample(run, 0.5))
    return table


@pytest.mark.parametrize(("ours", "verdict"), [([9.0, 1.0, 8.0], "holds"), ([9.0, 1.0, 8.1], "missed")])
def test_goals_go_by_medians(ours: list[float], verdict: str) -> None:
    table = _table(**{OURS: ours, "peer": [10.0, 99.0, 1.0]})
    assert printed_goals([Goal("x", "must", 0.8, "peer")], {"x": table}).endswith(verdict)


def test_a_goal_against_somebody_absent_says_nothing() -> None:
    goals = printed_goals([Goal("x", "must", 1.0, "peer")], {"x": _table(**{OURS: [1.0]})})
    assert "must" not in goals


def test_a_figure_alone_may_be_a_goal() -> None:
    table = _table(**{OURS: [6.9]})
    assert printed_goals([Goal("x", "aim", 7)], {"x": table}).endswith("holds")
    assert printed_goals([Goal("x", "aim", 6)], {"x": table}).endswith("missed")


def test_a_stalled_reader_is_measured(arena: Arena) -> None:
    memory, wait = stalled.stalled_reader(arena)
    assert [len(table.rows[OURS]) for table in (memory, wait)] == [1, 1]


def test_abuse_is_measured(arena: Arena) -> None:
    wait, crowd, cost = abuse.abuse(arena)
    assert {goal.row for goal in abuse.GOALS} == set(KINDS) < wait.rows.keys(), "and an honest one, which is the noise"
    assert {len(runs) for table in (wait, crowd, cost) for runs in table.rows.values()} == {3}
    assert cost.rows.keys() == wait.rows.keys() | crowd.rows.keys()
    assert "The worst: " in wait.note
    assert " × " in cost.note, "some were ended"


def test_a_storm_of_sign_ins_is_measured(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_in, "_COST", 4)
    wait, alone, answers = signing_in.signin_storm(arena)
    goals = {(goal.table, goal.row) for goal in signing_in.GOALS}
    assert goals <= {(table.key, row) for table in (wait, answers) for row in table.rows}
    assert len(alone.rows) == 2 * len(wait.rows)
    asked = ("200", "503", "429", "still waiting at the end", "lost without an answer")
    assert sum(answers.value(row) or 0 for row in asked) == 8
    assert answers.value("refused, not told when to come again") == answers.value("others refused") == 0


@pytest.mark.soak
def test_growth_is_measured(arena: Arena) -> None:
    sizes = {table.key.removeprefix("growth-"): list(table.rows) for table in growth.growth(arena)}
    assert sizes == {
        "all": ["1", "10", "100"],
        "class": ["100"],
        "command": ["100"],
        "request": ["1", "100"],
        "idle": ["100"],
        "own": [],
    }


def test_what_is_ours_of_a_delivery_is_told_apart() -> None:
    both, own = (Table(key, "", "µs") for key in ("growth-all", "growth-own"))
    for name, value in {"1": 9.0, "100": 5.0, "10,000": 6.0, "100, floor": 3.0, "10,000, floor": 4.5}.items():
        both.add(name, Sample(value))
    growth._add_own(both, own)
    assert {name: own.value(name) for name in own.rows} == {"100": 2.0, "10,000": 1.5}


@pytest.mark.real
def test_the_bridge_is_measured(arena: Arena) -> None:
    fast, paced = between_nodes.bridge(arena)
    assert fast.rows.keys() == paced.rows.keys() == {OURS, "redis-py + hiredis", "hiredis alone"}


@pytest.mark.soak
@pytest.mark.real
def test_what_follows_a_request_is_measured(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    (waits,) = background.relay(arena)
    assert waits.rows.keys() == {"half", "99 of 100", "the latest"}
    monkeypatch.setattr(background, "LEVELS", (200,))
    assert [list(table.rows) for table in background.backlog(arena)] == [["200"]] * 3


@pytest.mark.soak
@pytest.mark.real
def test_mails_are_measured(arena: Arena) -> None:
    wall, cpu = mails.mails(arena)
    assert wall.rows.keys() == cpu.rows.keys() == {OURS, "bare aiosmtplib", "the same, every mail made before"}


@pytest.mark.real
def test_saving_is_measured(arena: Arena) -> None:
    cost, rate, refused, wait = saving.saving(arena)
    assert cost.rows.keys() == rate.rows.keys() == {OURS, saving.BARE}
    assert refused.value(OURS) == 0
    assert wait.rows.keys() == {"half", "99 of 100"}


@pytest.mark.soak
def test_words_of_gateways_are_measured(arena: Arena) -> None:
    tables = {table.key: table for table in payment_words.payment_words(arena)}
    assert [tables[goal.table].value(str(goal.row)) for goal in payment_words.GOALS[1:]] == [0, 0]


@pytest.mark.real
def test_certificates_are_measured(arena: Arena) -> None:
    cost, numbers = certificates.certificates(arena)
    assert cost.rows.keys() == {OURS, certificates.SHEET}
    assert [numbers.value(str(goal.row)) for goal in certificates.GOALS[1:]] == [0, 0]


@pytest.mark.real
def test_deadlines_are_measured(arena: Arena) -> None:
    table, cost = deadlines.deadlines(arena)
    assert {goal.row for goal in deadlines.GOALS} == table.rows.keys()
    assert [table.value(str(goal.row)) for goal in deadlines.GOALS[2:]] == [0, 0]
    assert cost.rows


@pytest.mark.real
def test_a_file_is_gone_before_the_next_one_comes(
    arena: Arena, monkeypatch: pytest.MonkeyPatch, mongodb_url: str, redis_url: str
) -> None:
    monkeypatch.setattr(files, "running_mongo", lambda: nullcontext(mongodb_url))
    monkeypatch.setattr(files, "running_redis", lambda: nullcontext(redis_url))
    with MongoClient[dict[str, Any]](mongodb_url) as client:
        with files._in_gridfs(arena) as place:
            place.put(1)
            assert client["bench"]["files.chunks"].count_documents({}) == 4, "a MiB, by 256 KiB"
            place.remove()
            up, down = files._turn(place, 1)
            assert min(up, down) > 0
            assert client["bench"]["files.chunks"].count_documents({}) == 0
        client.drop_database("bench")


def test_the_memory_of_uploads_is_measured(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = {name: upload_memory.STORES[name] for name in (upload_memory.LOCAL, upload_memory.TUS)}
    monkeypatch.setattr(upload_memory, "STORES", stores)
    tables = {table.key: table for table in upload_memory.upload_memory(arena)}
    asked = {(goal.table, goal.row) for goal in upload_memory.GOALS if goal.row in stores}
    assert asked == {(key, row) for key, table in tables.items() for row in table.rows}


def test_archives_are_measured(arena: Arena) -> None:
    table, cost = archives.archives(arena)
    assert {goal.row for goal in archives.GOALS} == table.rows.keys()
    assert table.value(archives.LOST) == 0
    assert cost.rows.keys() == {archives.OUT, archives.BACK}


def test_the_dashboard_is_measured(arena: Arena) -> None:
    tables = dashboard.dashboard(arena)
    assert [list(table.rows) for table in tables] == [["20", "200", "2,000"]] * 2


def test_the_page_names_every_scenario() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    assert all(f"| `{scenario}` |" in page for scenario in bench.SCENARIOS)


def test_the_load_says_what_the_server_did(arena: Arena, tmp_path: Path) -> None:
    with arena.started(arena.ours(), clients=1) as running:
        with Load(running.port, running.program, running.contestant.opening, log=tmp_path / "log") as stranger:
            with pytest.raises(load.ProgramError, match=r"the server answered the upgrade with HTTP/1\.1 401"):
                stranger.open(["/ws?token=nonsense"], tmp_path / "paths")
