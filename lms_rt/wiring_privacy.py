"""What privacy needs, wired: exports, and the end of accounts. `bootstrap.py` does the rest. No rules."""

from __future__ import annotations

from dataclasses import dataclass

from config.settings import Settings
from lms_rt.afterwards import Afterwards
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock
from lms_rt.services.attempt_clock import AttemptClock
from lms_rt.services.enrollments import Enrollments
from lms_rt.services.erasure import Erasure, Means
from lms_rt.services.erasure_sweep import ErasureSweep
from lms_rt.services.export_parts import Sources
from lms_rt.services.exports import Exports
from lms_rt.services.receipts import Receipts
from lms_rt.services.results import Results
from lms_rt.services.traces import Traces
from lms_rt.storage.files.base import FileStore
from lms_rt.storage.mongo import OpenDatabase
from lms_rt.wiring_accounts import AccountServices


@dataclass(frozen=True)
class PrivacyServices:
    """The services of privacy."""

    exports: Exports
    erasure: Erasure
    erasure_sweep: ErasureSweep


@dataclass(frozen=True, slots=True)
class Around:
    """What privacy is wired to."""

    after: Afterwards
    accounts: AccountServices
    bus: Bus
    database: OpenDatabase
    enrollments: Enrollments
    attempt_clock: AttemptClock
    file_store: FileStore


def wired_privacy(settings: Settings, clock: Clock, around: Around) -> PrivacyServices:
    """All of them."""
    relay, files = around.after.relay, around.file_store
    sources = Sources(
        clock=clock,
        site_name=settings.project_name,
        preferences=around.after.preferences,
        results=Results(clock=clock),
        receipts=Receipts(signing=around.attempt_clock.signing),
        files=files,
    )
    exports = Exports(settings=settings, clock=clock, relay=relay, files=files, sources=sources)
    around.after.retention.add_rule("exports", 1, exports.forget)
    means = Means(
        sign_ins=around.accounts.sign_ins,
        sessions=around.accounts.sessions,
        enrollments=around.enrollments,
        grading=around.attempt_clock.grading,
        files=files,
        traces=Traces(bus=around.bus, database=around.database),
    )
    erasure = Erasure(settings=settings, clock=clock, relay=relay, means=means)
    sweep = ErasureSweep(clock=clock, jobs=around.after.jobs)
    return PrivacyServices(exports=exports, erasure=erasure, erasure_sweep=sweep)
