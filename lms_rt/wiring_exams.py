"""What exams need, wired: quizzes, attempts, and all that happens to attempts. `bootstrap.py` does the rest.

No rules. Each service of exams is a field of `ExamServices`, and is made in `wired_exams`.
"""

from __future__ import annotations

from dataclasses import dataclass

from config.settings import Settings
from lms_rt.afterwards import Afterwards
from lms_rt.bus.base import Bus
from lms_rt.clock import Clock
from lms_rt.services.accommodations import Accommodations
from lms_rt.services.attempt_clock import AttemptClock
from lms_rt.services.attempt_closing import PAUSE_ENDED
from lms_rt.services.attempt_times import AttemptTimes
from lms_rt.services.attempts import Attempts
from lms_rt.services.connection_loss import ConnectionLoss
from lms_rt.services.control_receipts import ControlReceipts
from lms_rt.services.grading_queue import GradingQueue
from lms_rt.services.groups import Groups
from lms_rt.services.integrity import Integrity
from lms_rt.services.lines import LineWatch
from lms_rt.services.live_controls import LiveControls
from lms_rt.services.manual_grading import ManualGrading
from lms_rt.services.pause_notices import telling_of_pauses
from lms_rt.services.questions import Questions
from lms_rt.services.quiz_controls import FILL_TIMES, QuizControls
from lms_rt.services.quizzes import Quizzes
from lms_rt.services.receipts import Receipts
from lms_rt.services.regraded import REGRADED_EFFECT
from lms_rt.services.regrades import Regrades
from lms_rt.services.regrading import Regrading
from lms_rt.services.results import Results
from lms_rt.services.running import RunningQuizzes
from lms_rt.services.statistics import Statistics
from lms_rt.services.telling import Telling


@dataclass(frozen=True)
class ExamServices:
    """The services of exams."""

    quizzes: Quizzes
    questions: Questions
    attempts: Attempts
    results: Results
    attempt_clock: AttemptClock
    quiz_controls: QuizControls
    live_controls: LiveControls
    control_receipts: ControlReceipts
    manual_grading: ManualGrading
    grading_queue: GradingQueue
    running_quizzes: RunningQuizzes
    regrades: Regrades
    regrading: Regrading
    receipts: Receipts
    integrity: Integrity
    connection_loss: ConnectionLoss
    lines: LineWatch
    accommodations: Accommodations
    groups: Groups
    statistics: Statistics


def wired_exams(settings: Settings, clock: Clock, *, bus: Bus, after: Afterwards) -> ExamServices:
    """All of them."""
    relay = after.relay
    controls = QuizControls(clock=clock, relay=relay, telling=Telling(bus))
    relay.register_effect(PAUSE_ENDED, telling_of_pauses(after.notifications))
    relay.register_fill(FILL_TIMES, AttemptTimes(clock=clock).fill)
    attempt_clock = AttemptClock(settings=settings, clock=clock, relay=relay, controls=controls)
    attempts = Attempts(settings=settings, clock=clock, bus=bus, relay=relay, attempt_clock=attempt_clock)
    regrading = Regrading(
        clock=clock, relay=relay, telling=Telling(bus), controls=controls, grading=attempt_clock.grading
    )
    relay.register_effect(REGRADED_EFFECT, regrading.record)
    loss = ConnectionLoss(
        clock=clock, controls=controls, integrity=attempts.integrity, telling=Telling(bus), audit=after.audit
    )
    attempt_clock.closing.ask_before(loss.before_closing)
    return ExamServices(
        quizzes=Quizzes(clock=clock, relay=relay),
        questions=Questions(clock=clock, relay=relay),
        attempts=attempts,
        results=Results(clock=clock),
        attempt_clock=attempt_clock,
        quiz_controls=controls,
        live_controls=LiveControls(controls=controls, audit=after.audit),
        control_receipts=attempts.control_receipts,
        manual_grading=ManualGrading(clock=clock, relay=relay, grading=attempt_clock.grading),
        grading_queue=GradingQueue(clock=clock),
        running_quizzes=RunningQuizzes(clock=clock),
        regrades=Regrades(clock=clock, relay=relay, regrading=regrading),
        regrading=regrading,
        receipts=Receipts(signing=attempt_clock.signing),
        integrity=attempts.integrity,
        connection_loss=loss,
        lines=LineWatch(clock=clock, loss=loss),
        accommodations=Accommodations(clock=clock, audit=after.audit),
        groups=Groups(clock=clock, relay=relay, audit=after.audit),
        statistics=Statistics(clock=clock),
    )
