"""How much of the database one request asks for, counted in commands: what takes as many cannot be told apart by time."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo import monitoring

from handlers.exchange import Exchange, current_exchange
from lms_rt.storage.embedded import client

_READS_AND_WRITES = (
    "find", "aggregate", "count_documents", "distinct", "insert_one", "insert_many", "update_one", "update_many",
    "replace_one", "delete_one", "delete_many", "find_one_and_update", "find_one_and_replace", "find_one_and_delete",
)  # fmt: skip
_counts: Counter[str] = Counter()


def _note() -> None:
    exchange = current_exchange.get()
    if exchange is not None:
        _counts[exchange.request_id] += 1


class _Listener(monitoring.CommandListener):
    """Hears the driver's commands, each in the context of the request that they are for."""

    def started(self, _: monitoring.CommandStartedEvent) -> None:
        _note()

    def succeeded(self, _: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, _: monitoring.CommandFailedEvent) -> None:
        pass


_LISTENER = _Listener()


@contextmanager
def commands_counted() -> Iterator[Counter[str]]:
    """Commands by the id of the request that asked for them, on both engines; begun before the database is opened."""
    with pytest.MonkeyPatch.context() as patch:
        listeners = monitoring._LISTENERS
        patch.setattr(monitoring, "_LISTENERS", listeners._replace(command_listeners=[_LISTENER]))
        for name in _READS_AND_WRITES:
            patch.setattr(client._Collection, name, _counted(getattr(client._Collection, name)))
        _counts.clear()
        yield _counts


def _counted(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def run(self: Any, *args: Any, **kwargs: Any) -> Any:
        _note()
        return method(self, *args, **kwargs)

    return run


@contextmanager
def as_request(name: str) -> Iterator[None]:
    """What is asked for here counts as a request of this name."""
    token = current_exchange.set(Exchange(name))
    try:
        yield
    finally:
        current_exchange.reset(token)
