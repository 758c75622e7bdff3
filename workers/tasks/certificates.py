"""Certificates by the workers: given out, and printed."""

from __future__ import annotations

from typing import cast

from lms_rt.bootstrap import Services
from lms_rt.contracts.jobs import CertificateArgs
from lms_rt.services.jobs import Taken


async def generate(services: Services, taken: Taken) -> None:
    """The certificate of an enrolment, with its file."""
    await services.certificates.carry_out(cast("CertificateArgs", taken.args))
