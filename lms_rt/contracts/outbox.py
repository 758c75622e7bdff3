"""Intents: what must follow a write, put into the aggregate's outbox by that write and carried out by the relay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

from lms_rt.contracts.actor import Actor
from lms_rt.contracts.audit import Act, facts_of
from lms_rt.contracts.jobs import task_kind
from lms_rt.ids import new_id

Intent = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Write:
    """The write that intents belong to: the aggregate's version after it, and its time."""

    version: int
    at: datetime


def event(
    write: Write, name: str, *, n: int, channels: Sequence[str], data: dict[str, Any], record: str | None = None
) -> Intent:
    """An event of record: told live as `name` on each channel, kept and sent to webhooks as `record`.

    `n` is its place among the events of its write, from 0. Without channels it is only kept.
    """
    return {
        "id": new_id("evt"),
        "kind": "event",
        "name": name,
        "type": record,
        "channels": list(channels),
        "data": data,
        "version": write.version,
        "n": n,
        "at": write.at,
    }


def effect(write: Write, name: str, data: dict[str, Any]) -> Intent:
    """A short change of our own data that follows; its handler is registered under `name` and runs idempotently."""
    return {"id": new_id("evt"), "kind": "effect", "effect": name, "data": data, "at": write.at}


def job(
    write: Write, task: str, args: dict[str, Any], *, due_at: datetime | None = None, job_id: str | None = None
) -> Intent:
    """A job for the workers, due at once or later. Its args are checked here, where the fault is: `ValidationError`.

    `job_id` is for jobs that may be asked for twice: the second one meets the first.
    """
    task_kind(task).args.model_validate(args)
    return {
        "id": job_id or new_id("job"),
        "kind": "job",
        "task": task,
        "data": args,
        "due_at": due_at or write.at,
        "at": write.at,
    }


def audit(write: Write, actor: Actor, action: str, **act: Unpack[Act]) -> Intent:
    """A record of the audit log, of what this write does.

    `audit(write, actor, "user.change", kind="user", target_id=…, before={"role": "student"}, after={"role": "admin"})`. Never
    give a password, a code or a token; what is kept of other values is a keyed hash.
    """
    return {"id": new_id("aud"), "kind": "audit", "data": facts_of(actor, action, act), "at": write.at}


@dataclass(frozen=True, slots=True)
class Deed:
    """Who does what, for the audit log: handed to whoever makes the write. `action` begins with the kind of its target.

    What `is_of_all` is recorded whoever does it, the rest when an administrator does it or somebody in another's place.
    """

    actor: Actor
    action: str
    target_id: str = ""
    is_of_all: bool = False

    @property
    def is_recorded(self) -> bool:
        """Is there to be a record?"""
        return self.is_of_all or self.actor.is_admin or self.actor.is_impersonated

    def intents(
        self,
        write: Write,
        target_id: str = "",
        *,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> list[Intent]:
        """The record beside this write, if there is to be one. `target_id` is for deeds that did not know theirs."""
        kind, target_id = self.action.partition(".")[0], self.target_id or target_id
        if not self.is_recorded:
            return []
        return [audit(write, self.actor, self.action, kind=kind, target_id=target_id, before=before, after=after)]


def audited(write: Write, actor: Actor, action: str, **act: Unpack[Act]) -> list[Intent]:
    """The record of what an administrator does, or anybody in another's place; none of what owners do with their own."""
    return [audit(write, actor, action, **act)] if actor.is_admin or actor.is_impersonated else []
