"""Opening Stripe where it is on. Apart, since whoever has none shall not wait for its SDK."""

from __future__ import annotations

from config.settings import Settings
from lms_rt.clock import Clock
from lms_rt.gateways.payments.base import PaymentGateway


def opened_stripe(settings: Settings, clock: Clock) -> PaymentGateway:
    """The account that the settings name."""
    from lms_rt.gateways.payments.stripe import StripeGateway  # noqa: PLC0415 - 0.4 s and 20 MiB that only it needs

    return StripeGateway.of_settings(settings, clock)
