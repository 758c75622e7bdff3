"""What is paid back, and what is looked at again about money. What is too much for one run goes on in another."""

from __future__ import annotations

from lms_rt.bootstrap import Services
from lms_rt.clock import from_ms, to_ms
from lms_rt.contracts.jobs import RefundArgs, WalkArgs
from lms_rt.ids import derived_id
from lms_rt.services.jobs import Taken
from lms_rt.services.payments.walking import Run


async def refund(services: Services, taken: Taken) -> None:
    """Pay back."""
    assert isinstance(taken.args, RefundArgs)  # noqa: S101 - the catalogue's model
    await services.refunds.carry_out(taken.args.refund_id)


async def look_again(services: Services, taken: Taken) -> None:
    """Look at payments and refunds that should have come to an end."""
    run = _run(services, taken)
    await services.open_payments.look(run)
    await _go_on(services, taken, run)


async def reconcile(services: Services, taken: Taken) -> None:
    """Hold payments against what gateways list, against the journal and against what they opened."""
    theirs, ours = _run(services, taken), _run(services, taken)
    try:
        await services.payment_comparison.compare_all(theirs)
    finally:  # the books are ours, whatever gateways say
        await services.payment_books.check_all(ours)
    theirs.is_cut = theirs.is_cut or ours.is_cut
    await _go_on(services, taken, theirs)


def _run(services: Services, taken: Taken) -> Run:
    assert isinstance(taken.args, WalkArgs)  # noqa: S101 - the catalogue's model
    since_ms = taken.args.since_ms
    return Run(services.clock, since=taken.created_at if since_ms is None else from_ms(since_ms))


async def _go_on(services: Services, taken: Taken, run: Run) -> None:
    """Let another run follow one that was cut. Again it is the same one."""
    if run.is_cut and run.since is not None:
        args = {"since_ms": to_ms(run.since)}
        await services.jobs.put(derived_id("job", taken.job_id, "on"), taken.kind.name, args)


TASKS = {
    "payments.refund": refund,
    "payments.look_again": look_again,
    "payments.reconcile": reconcile,
}
