"""Taskiq: one generic task that says "there is work in this queue". What the work is lies in the database.

So losing a message, or all of Redis, loses nothing. Messages are JSON, hold a queue's name and an id, are removed as they
are read, and no more than `MAX_WAITING` of them wait in a queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError
from taskiq import AckableMessage, AsyncBroker, BrokerMessage, InMemoryBroker
from taskiq.acks import AcknowledgeType
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

from config.settings import Settings
from lms_rt.bus.base import WakeUps
from lms_rt.bus.redis.keys import Keys
from lms_rt.contracts.jobs import QUEUES, Queue

TASK = "jobs.run"
MAX_WAITING = 1_000
STREAM_SECONDS = 24 * 3600
KICK_SECONDS = 1.0
PAUSE_SECONDS = 0.02
"""So far apart are the messages of one process: what is asked for in between is told by the next, and in a rush by few."""
MOST_WOKEN = 8
"""So many workers are woken for a burst in one queue, one for each job; of a rush that goes on one more in each pause."""
BLOCK_SECONDS = 1.0
GROUP = WORKER = "lms"
"""All workers are one consumer: whoever reads first has the message, and nobody keeps a list of what others read."""
Wake = Callable[[str, str], Awaitable[None]]
"""Given a queue and a job's id: somebody should look."""

_log = logging.getLogger(__name__)


class WakeUpStream(RedisStreamBroker):
    """The stream broker of taskiq-redis, for messages that may be lost: each is removed as soon as it was read.

    Differs from the stock one (1.2.4) in what was found there: it can be cancelled while nothing comes, leaves no
    acknowledged entries, consumers or pending lists behind, and goes on after a fault and after Redis lost everything.
    """

    async def kick(self, message: BrokerMessage) -> None:
        """Append it; the stream goes when nobody was woken for a day."""
        async with Redis(connection_pool=self.connection_pool) as redis, redis.pipeline(transaction=False) as pipe:
            pipe.xadd(self.queue_name, {b"data": message.message}, maxlen=self.maxlen, approximate=self.approximate)
            pipe.expire(self.queue_name, STREAM_SECONDS)
            await pipe.execute()

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Messages as they come, until cancelled."""
        while True:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # redis-py 8.1 can swallow a cancellation
                raise asyncio.CancelledError
            try:
                fetched = await self._fetch()
            except (RedisError, OSError, TimeoutError) as error:
                _log.info("the queue %s cannot be heard: %s", self.queue_name, error)
                await asyncio.sleep(KICK_SECONDS)
                continue
            for message in fetched:
                yield message

    async def _fetch(self) -> list[AckableMessage]:
        async with Redis(connection_pool=self.connection_pool) as redis:
            try:
                wanted: Any = {self.queue_name: ">"}
                got: Any = await redis.xreadgroup(GROUP, WORKER, wanted, count=self.count, block=self.block, noack=True)
            except RedisError as error:
                if "NOGROUP" not in str(error):
                    raise
                await self._declare_consumer_group()
                return []
            messages = [message for _, read in got or () for message in read]
            if messages:
                await redis.xdel(self.queue_name, *(message_id for message_id, _ in messages))
            return [AckableMessage(data=fields[b"data"], ack=_nothing_more) for _, fields in messages if fields]


async def _nothing_more() -> None:
    """It was removed when it was read."""


class Bell:
    """Where wake-ups arrive in this process; rung before anybody listens, it is not heard."""

    def __init__(self) -> None:
        self.listener: Wake | None = None

    async def ring(self, queue: str, job_id: str) -> None:
        """Somebody should look into this queue."""
        if self.listener is not None:
            await self.listener(queue, job_id)


class TaskiqWakeUps(WakeUps):
    """Kicks the generic task on the queue's broker. Nobody waits for that, and many calls at once are few messages.

    Each message is heard by one worker, which then works until its queue is empty: a burst needs as many as have work.
    """

    def __init__(self, brokers: Mapping[Queue, AsyncBroker]) -> None:
        self._kicks = _kicks_of(brokers)
        self._waiting: dict[str, dict[str, None]] = {}
        self._spare: dict[str, int] = {}
        self._has_some = asyncio.Event()

    async def wake(self, queue: str, job_id: str) -> None:
        """Note that the queue has something."""
        waiting = self._waiting.setdefault(queue, {})
        if len(waiting) < MOST_WOKEN:
            waiting[job_id] = None
        self._has_some.set()

    async def run(self) -> None:
        """Send what was noted, until cancelled; then what is still to be sent: a worker that ends hands back its jobs."""
        try:
            while True:
                if not self._has_some.is_set():
                    self._spare.clear()  # the rush is over: whoever was woken may sleep by now
                await self._has_some.wait()
                self._has_some.clear()
                await self._send()
                await asyncio.sleep(PAUSE_SECONDS)
        finally:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KICK_SECONDS):
                    await self._send()

    async def _send(self) -> None:
        for queue in list(self._waiting):
            spare = self._spare.get(queue, MOST_WOKEN)
            told = list(self._waiting.pop(queue))[:spare]
            self._spare[queue] = spare - len(told) + 1
            try:
                await self._kick(queue, told)
            except asyncio.CancelledError:
                self._waiting.setdefault(queue, {}).update(dict.fromkeys(told))
                raise
            except Exception as error:  # noqa: BLE001 - a hint: workers look for themselves every second
                _log.info("nobody could be woken for %s: %s", told[0], type(error).__name__)

    async def _kick(self, queue: str, told: list[str]) -> None:
        """A message for each of these, which is taken out of them once it was sent."""
        while told:
            async with asyncio.timeout(KICK_SECONDS):
                await self._kicks[queue](queue, told[0])
            del told[0]


class InlineWakeUps(WakeUps):
    """Runs the job before the call returns, by a broker that awaits its tasks: for tests and debuggers."""

    def __init__(self, brokers: Mapping[Queue, AsyncBroker]) -> None:
        self._kicks = _kicks_of(brokers)

    async def wake(self, queue: str, job_id: str) -> None:
        """Run it here and now."""
        await self._kicks[queue](queue, job_id)


def _kicks_of(brokers: Mapping[Queue, AsyncBroker]) -> dict[str, Callable[[str, str], Coroutine[Any, Any, Any]]]:
    """How the generic task is asked for, by queue."""
    return {queue: task.kiq for queue, broker in brokers.items() if (task := broker.find_task(TASK)) is not None}


def _with_task(broker: AsyncBroker, wake: Wake) -> AsyncBroker:
    async def run(queue: str, job_id: str) -> None:
        await wake(queue, job_id)

    broker.register_task(run, task_name=TASK)
    return broker


@asynccontextmanager
async def brokers_on_redis(settings: Settings, wake: Wake) -> AsyncIterator[dict[Queue, AsyncBroker]]:
    """A broker for each queue. They connect when they are used: Redis may be away at any time."""
    url = settings.tasks_redis_url.get_secret_value() or settings.redis_url.get_secret_value()
    keys = Keys(settings.mongodb_database)
    logging.getLogger("taskiq").setLevel(logging.WARNING)  # it would tell of every message
    brokers: dict[Queue, AsyncBroker] = {
        queue: _with_task(
            WakeUpStream(
                url,
                queue_name=keys.tasks(queue),
                consumer_group_name=GROUP,
                consumer_name=WORKER,
                consumer_id="0",
                xread_block=round(BLOCK_SECONDS * 1000),
                maxlen=MAX_WAITING,
                socket_connect_timeout=KICK_SECONDS,
                socket_timeout=BLOCK_SECONDS + 2,
            ),
            wake,
        )
        for queue in QUEUES
    }
    try:
        yield brokers
    finally:
        for broker in brokers.values():
            await broker.shutdown()


@asynccontextmanager
async def broker_in_memory(wake: Wake, *, is_inline: bool = False) -> AsyncIterator[dict[Queue, AsyncBroker]]:
    """One broker of this process for all queues; `is_inline`: who asks waits until the job has run."""
    logging.getLogger("taskiq").setLevel(logging.WARNING)
    broker = _with_task(InMemoryBroker(await_inplace=is_inline), wake)
    await broker.startup()
    try:
        yield dict.fromkeys(QUEUES, broker)
    finally:
        await broker.shutdown()


def listening(broker: AsyncBroker) -> Callable[[], Coroutine[Any, Any, None]]:
    """What hears a queue's messages until it is cancelled."""

    async def listen() -> None:
        await run_receiver_task(broker, max_async_tasks=10, sync_workers=1, ack_time=AcknowledgeType.WHEN_RECEIVED)

    return listen
