"""Taskiq: one generic task that says "there is work in this queue". What the work is lies in the database.

So losing a message, or all of Redis, loses nothing. Messages are JSON, hold ids only, are removed as they are read, and
no more than `MAX_WAITING` of them wait in a queue.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from redis.exceptions import RedisError
from taskiq import AckableMessage, AsyncBroker, InMemoryBroker
from taskiq.acks import AcknowledgeType
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

from config.settings import Settings
from lms_rt.bus.base import WakeUps
from lms_rt.bus.redis.keys import Keys
from lms_rt.contracts.jobs import QUEUES, Queue

TASK = "jobs.run"
MAX_WAITING = 1_000
KICK_SECONDS = 1.0
GROUP = "lms"
Wake = Callable[[str], None]
"""Given a queue: somebody should look."""

_log = logging.getLogger(__name__)


class WakeUpStream(RedisStreamBroker):
    """The stream broker of taskiq-redis, for messages that may be lost: each is removed as soon as it was read.

    Differs from the stock one (1.2.4) in what was found there: it can be cancelled while nothing comes, leaves no
    acknowledged entries behind, goes on after a fault and after the group was lost with all of Redis.
    """

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Messages as they come, until cancelled."""
        while True:
            task = asyncio.current_task()
            if task is not None and task.cancelling():  # redis-py 8.1 can swallow a cancellation
                raise asyncio.CancelledError
            try:
                fetched = await self._fetch()
            except (RedisError, OSError) as error:
                _log.info("the queue %s cannot be heard: %s", self.queue_name, error)
                await asyncio.sleep(KICK_SECONDS)
                continue
            for message in fetched:
                yield message

    async def _fetch(self) -> list[AckableMessage]:
        async with Redis(connection_pool=self.connection_pool) as redis:
            try:
                wanted = {self.queue_name: ">"}
                got = await redis.xreadgroup(
                    self.consumer_group_name, self.consumer_name, wanted, count=self.count, block=self.block
                )
            except RedisError as error:
                if "NOGROUP" not in str(error):
                    raise
                await self._declare_consumer_group()
                return []
            messages = [message for _, read in got or () for message in read]
            if messages:
                ids = [message_id for message_id, _ in messages]
                async with redis.pipeline(transaction=True) as pipe:
                    pipe.xack(self.queue_name, self.consumer_group_name, *ids)
                    pipe.xdel(self.queue_name, *ids)
                    await pipe.execute()
            return [AckableMessage(data=fields[b"data"], ack=_nothing_more) for _, fields in messages if fields]


async def _nothing_more() -> None:
    """It was removed when it was read."""


class Bell:
    """Where wake-ups arrive in this process; rung before anybody listens, it is not heard."""

    def __init__(self) -> None:
        self.listener: Wake | None = None

    def ring(self, queue: str) -> None:
        """Somebody should look into this queue."""
        if self.listener is not None:
            self.listener(queue)


class TaskiqWakeUps(WakeUps):
    """Kicks the generic task on the queue's broker."""

    def __init__(self, brokers: dict[Queue, AsyncBroker]) -> None:
        self._tasks = {queue: broker.find_task(TASK) for queue, broker in brokers.items()}

    async def wake(self, queue: str, job_id: str) -> None:
        """Send the queue's name and the job's id."""
        task = self._tasks[queue]  # type: ignore[index]  # the catalogue's words
        if task is not None:
            async with asyncio.timeout(KICK_SECONDS):
                await task.kiq(queue, job_id)


def _with_task(broker: AsyncBroker, wake: Wake) -> AsyncBroker:
    async def run(queue: str, job_id: str) -> None:  # noqa: ARG001 - whoever looks finds what is due, this one too
        wake(queue)

    broker.register_task(run, task_name=TASK)
    return broker


@asynccontextmanager
async def brokers_on_redis(settings: Settings, wake: Wake) -> AsyncIterator[dict[Queue, AsyncBroker]]:
    """A broker for each queue. They connect when they are used: Redis may be away at any time."""
    url = settings.tasks_redis_url.get_secret_value() or settings.redis_url.get_secret_value()
    keys = Keys(settings.mongodb_database)
    brokers: dict[Queue, AsyncBroker] = {
        queue: _with_task(
            WakeUpStream(
                url,
                queue_name=keys.tasks(queue),
                consumer_group_name=GROUP,
                consumer_id="0",
                xread_block=1_000,
                maxlen=MAX_WAITING,
                socket_connect_timeout=KICK_SECONDS,
                socket_timeout=KICK_SECONDS * 3,
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
async def broker_in_memory(wake: Wake) -> AsyncIterator[dict[Queue, AsyncBroker]]:
    """One broker of this process for all queues."""
    broker = _with_task(InMemoryBroker(), wake)
    await broker.startup()
    try:
        yield dict.fromkeys(QUEUES, broker)
    finally:
        await broker.shutdown()


def listening(broker: AsyncBroker) -> Callable[[], Awaitable[None]]:
    """What hears a queue's messages until it is cancelled."""

    async def listen() -> None:
        await run_receiver_task(broker, max_async_tasks=10, sync_workers=1, ack_time=AcknowledgeType.WHEN_RECEIVED)

    return listen
