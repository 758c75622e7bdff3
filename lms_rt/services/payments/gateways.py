"""The gateways that take money here, and which of them a payment may go by. What each of them is, is lms_rt/gateways's."""

from __future__ import annotations

from collections.abc import Sequence

from config.settings import Settings
from lms_rt.contracts.gateways import GatewayName, Money
from lms_rt.errors import invalid
from lms_rt.gateways.payments.base import PaymentGateway


class Gateways:
    """The gateways that are on, in the order in which they are offered."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._gateways: dict[str, PaymentGateway] = {}

    def add(self, gateway: PaymentGateway) -> None:
        """Take money by this one, too; another of the same name is replaced."""
        self._gateways[gateway.name.value] = gateway

    def all(self) -> Sequence[PaymentGateway]:
        """All that are on."""
        return tuple(self._gateways.values())

    def find(self, name: str) -> PaymentGateway | None:
        """The gateway of this name; None: there is none, or it is not set up."""
        return self._gateways.get(name)

    def named(self, name: str) -> PaymentGateway:
        """The gateway of this name, or the refusal."""
        gateway = self.find(name)
        if gateway is None:
            raise invalid("gateway", "This gateway is not set up here.", "gateway")
        return gateway

    def takes(self, gateway: PaymentGateway, currency: str, country: str | None) -> bool:
        """May payers of this country pay in this currency by it, as the settings have it? It may know less itself."""
        name = GatewayName(gateway.name).value
        currencies: tuple[str, ...] = getattr(self._settings, f"{name}_currencies")
        countries: tuple[str, ...] = getattr(self._settings, f"{name}_countries")
        return (not currencies or currency in currencies) and (country is None or not countries or country in countries)

    def for_checkout(self, money: Money, country: str | None) -> Sequence[PaymentGateway]:
        """Those by which this may be paid. An unknown country hinders nobody: the gateway asks for it."""
        return tuple(one for one in self._gateways.values() if self.takes(one, money.currency, country))

    async def close(self) -> None:
        """Close all that is open."""
        for gateway in self._gateways.values():
            await gateway.close()
