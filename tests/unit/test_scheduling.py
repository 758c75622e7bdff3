"""Who runs which file of the suite: nothing async after a browser, no browser waiting for a place, nothing left out."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from tests.scheduling import BrowserBeside

OTHERS = [f"tests/rest/test_{number}.py::test_{case}" for number in range(12) for case in range(4)]
BROWSER = [f"tests/browser/test_{number}.py::test_{case}" for number in range(6) for case in range(3)]


class Node:
    """A process of pytest-xdist, as its scheduler sees it."""

    def __init__(self, name: str, given: list[int]) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.shutting_down = False
        self.waiting: list[int] = []
        self.ran: list[str] = []
        self.given = given

    def send_runtest_some(self, indices: list[int]) -> None:
        assert not self.shutting_down
        self.waiting += indices
        self.given += indices

    def shutdown(self) -> None:
        self.shutting_down = True


def run(collected: list[str], *, processes: int, seed: int, given: list[int] | None = None) -> list[Node]:
    """All of it, whoever is fast and whoever is slow; `given` takes the order in which tests were given to them."""
    given = [] if given is None else given
    drawn = random.Random(seed)  # noqa: S311 - goes the same way again
    config: Any = SimpleNamespace(
        getvalue=lambda _name: ["popen"] * processes, option=SimpleNamespace(loadscopereorder=False)
    )
    scheduling = BrowserBeside(config)
    nodes: list[Any] = [Node(f"gw{number}", given) for number in range(processes)]
    for node in nodes:
        scheduling.add_node(node)
    for node in nodes:
        scheduling.add_node_collection(node, collected)
    scheduling.schedule()
    while scheduling.has_pending:
        # as there, a process begins a test only when it knows the next one, or that there is none
        node = drawn.choice([one for one in nodes if len(one.waiting) > 1 or (one.waiting and one.shutting_down)])
        index = node.waiting.pop(0)
        node.ran.append(collected[index])
        scheduling.mark_test_complete(node, index)
    assert all(node.shutting_down for node in nodes)
    return nodes


def is_browser(test: str) -> bool:
    return test.startswith("tests/browser/")


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_every_test_is_run_once_and_nothing_async_after_a_browser(processes: int, seed: int) -> None:
    nodes = run(OTHERS + BROWSER, processes=processes, seed=seed)
    assert sorted(test for node in nodes for test in node.ran) == sorted(OTHERS + BROWSER)
    for node in nodes:
        assert [is_browser(test) for test in node.ran] == sorted(map(is_browser, node.ran))
    assert sum(any(map(is_browser, node.ran)) for node in nodes) <= 2
    if processes > 1:
        assert BROWSER[0] in nodes[0].ran


@pytest.mark.parametrize("seed", range(10))
def test_one_turns_to_the_browser_when_a_third_of_the_rest_is_given_out(seed: int) -> None:
    given: list[int] = []
    collected = OTHERS + BROWSER
    nodes = run(collected, processes=3, seed=seed, given=given)
    tests = [collected[index] for index in given]
    assert len(OTHERS) / 3 <= tests.index(BROWSER[0]) < len(OTHERS) - 4, "in good time, and not at the end"
    assert BROWSER[0] in nodes[0].ran
    assert not is_browser(tests[0])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("collected", [OTHERS, BROWSER], ids=["no browser", "nothing else"])
def test_a_run_of_one_kind_ends_as_well(collected: list[str], seed: int) -> None:
    nodes = run(collected, processes=3, seed=seed)
    assert sorted(test for node in nodes for test in node.ran) == sorted(collected)
