"""The ports that tests give to servers."""

from __future__ import annotations

import socket

import pytest

from tests.servers import ports


def test_none_is_given_twice_nor_one_that_somebody_has() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports.free_port()))
        given = [ports.free_port() for _ in range(50)]
        assert len(set(given)) == 50
        assert taken.getsockname()[1] not in given


def test_processes_of_one_run_share_none(monkeypatch: pytest.MonkeyPatch) -> None:
    own = []
    for worker in range(3):
        monkeypatch.setenv("PYTEST_XDIST_WORKER", f"gw{worker}")
        own.append(set(ports._own_ports()))
    monkeypatch.delenv("PYTEST_XDIST_WORKER")
    own.append(set(ports._own_ports()))
    assert sum(map(len, own)) == len(set.union(*own))


def test_they_are_none_that_outgoing_connections_take() -> None:
    """Those begin there in Linux, unless it is told otherwise."""
    assert max(ports._own_ports()) + ports._BUS < 32_768
