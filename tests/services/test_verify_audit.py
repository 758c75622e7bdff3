"""`python3 run.py verify-audit` on a store of its own: what it prints, and how it ends."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from documents.audit_beside import HEAD, AuditMark
from documents.audit_record import AuditRecord
from lms_rt.bootstrap import Services, open_services
from lms_rt.console import verify_audit
from lms_rt.console.store import settings_for


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A school on the embedded store whose administrator retried something three times."""
    for name in ("MONGODB_URL", "REDIS_URL", "SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)
    asyncio.run(_in_school(tmp_path / "data", _fill))
    return tmp_path / "data"


async def _in_school(data_dir: Path, work: Callable[[Services], Awaitable[Any]]) -> None:
    settings: Settings = settings_for(str(data_dir))
    async with open_services(settings) as services:
        await work(services)


async def _fill(services: Services) -> None:
    for number in range(3):
        actor = services.console_actor
        await services.audit.record(actor, "dead_letter.retry", kind="dead_letter", target_id=f"job_{number}")


def run(data_dir: Path, *, head: str | None = None, is_signing: bool = False) -> int:
    return verify_audit.main(argparse.Namespace(data=str(data_dir), head=head, sign_anew=is_signing))


def test_it_tells_whole_from_broken_and_signs_anew_what_was_looked_into(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data_dir) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "the audit log is whole from 1 to 3"
    head = told[-1].removeprefix("head ")
    assert run(data_dir, head=head) == 0
    capsys.readouterr()

    async def harm(_: Services) -> None:
        await AuditRecord.rows().update_one({"_id": 2}, {"$set": {"actor_id": "usr_nobody"}})
        await AuditRecord.rows().delete_one({"_id": 3})
        await AuditMark.rows().delete_one({"_id": HEAD})

    asyncio.run(_in_school(data_dir, harm))
    assert run(data_dir, head=head) == 2
    told = capsys.readouterr().out.splitlines()
    assert told[:3] == [
        "RECORD 2 was changed after it was written",
        "AT 2: the signed head is gone",
        "RECORD 3 was removed at the new end",
    ]
    assert "the audit log is NOT whole" in told
    assert run(data_dir, is_signing=True) == 2
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "RECORD 2 was changed after it was written"
    assert not any("head is gone" in line for line in told)


def test_a_head_that_is_none_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path / "data", head="12") == 1
    assert "SEQ:HASH" in capsys.readouterr().err
