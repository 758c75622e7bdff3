"""The settings of payments: which gateways take money, with which keys, for which currencies and countries, and who sells."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings

from config.settings_accounts import MAX_DAYS, Words

SANDBOX = "sandbox"
KEYS_OF_GATEWAYS = {
    "stripe": ("stripe_secret_key", "stripe_webhook_secret"),
    "paymob": ("paymob_secret_key", "paymob_api_key", "paymob_hmac_secret", "paymob_integration_id_card"),
    "myfatoorah": ("myfatoorah_api_key", "myfatoorah_webhook_secret"),
    SANDBOX: (),
}
"""Every gateway, and the settings without which it cannot work; the first says that it is meant to."""
_BASES = ("stripe_api_base", "paymob_base_url", "myfatoorah_base_url")
_LISTS = (
    "payment_gateways",
    "stripe_currencies",
    "stripe_countries",
    "paymob_currencies",
    "paymob_countries",
    "myfatoorah_currencies",
    "myfatoorah_countries",
    "sandbox_currencies",
    "sandbox_countries",
)


class PaymentSettings(BaseSettings):
    """Gateways, orders and the seller."""

    payment_gateways: Words = Field(
        (),
        description="Gateways that take money: stripe, paymob, myfatoorah, sandbox. Empty: those with keys, else the "
        "sandbox, which moves no money and works on the embedded store alone.",
    )
    stripe_secret_key: SecretStr = Field(SecretStr(""), description="Stripe: the secret key.")
    stripe_publishable_key: str = Field("", description="Stripe: the publishable key, which browsers see.")
    stripe_webhook_secret: SecretStr = Field(
        SecretStr(""), description="Stripe: what signs its webhooks; several by commas while one takes over."
    )
    stripe_api_base: str = Field("https://api.stripe.com", description="Stripe: its address.")
    stripe_currencies: Words = Field((), description="Stripe: currencies that go by it; empty: all it knows.")
    stripe_countries: Words = Field((), description="Stripe: countries of payers that go by it; empty: all.")
    paymob_secret_key: SecretStr = Field(SecretStr(""), description="Paymob: the secret key.")
    paymob_public_key: str = Field("", description="Paymob: the public key, which browsers see.")
    paymob_api_key: SecretStr = Field(SecretStr(""), description="Paymob: the API key, for looking payments up.")
    paymob_hmac_secret: SecretStr = Field(SecretStr(""), description="Paymob: what signs its callbacks.")
    paymob_integration_id_card: int = Field(0, ge=0, description="Paymob: number of the integration for cards.")
    paymob_integration_id_wallet: int = Field(0, ge=0, description="Paymob: of the one for wallets; 0: none.")
    paymob_integration_id_subscription: int = Field(
        0, ge=0, description="Paymob: of the one by which subscriptions begin (3-D Secure); 0: no subscriptions."
    )
    paymob_integration_id_moto: int = Field(0, ge=0, description="Paymob: of the one by which they are renewed.")
    paymob_iframe_id: int = Field(
        0, ge=0, description="Paymob: number of the iframe, for accounts without a public key."
    )
    paymob_base_url: str = Field(
        "https://accept.paymob.com", description="Paymob: its address in the account's country."
    )
    paymob_currencies: Words = Field((), description="Paymob: currencies that go by it; empty: all it knows.")
    paymob_countries: Words = Field((), description="Paymob: countries of payers that go by it; empty: all.")
    myfatoorah_api_key: SecretStr = Field(SecretStr(""), description="MyFatoorah: the token.")
    myfatoorah_webhook_secret: SecretStr = Field(SecretStr(""), description="MyFatoorah: what signs its webhooks.")
    myfatoorah_base_url: str = Field(
        "https://api.myfatoorah.com", description="MyFatoorah: its address in the account's country."
    )
    myfatoorah_currencies: Words = Field((), description="MyFatoorah: currencies that go by it; empty: all it knows.")
    myfatoorah_countries: Words = Field((), description="MyFatoorah: countries of payers that go by it; empty: all.")
    sandbox_currencies: Words = Field((), description="Sandbox: currencies that go by it; empty: all.")
    sandbox_countries: Words = Field((), description="Sandbox: countries of payers that go by it; empty: all.")

    order_expire_minutes: int = Field(60, ge=10, le=1_380, description="So long an order can be paid.")
    payment_refund_ends_access: str = Field(
        "full",
        pattern="^(full|any|never)$",
        description="What paying back does to the course: full (all of it ends access), any (a part does), never.",
    )
    payment_dispute_ends_access: bool = Field(
        True,
        description="A disputed payment opens no course until it is won. Only Stripe lets disputes be read; others are noted by hand.",
    )
    subscription_grace_days: int = Field(
        3, ge=0, le=60, description="So long after a subscription's end its courses stay open."
    )
    tax_country: str = Field(
        "", pattern="^([A-Z]{2})?$", description="Country whose tax holds for who names none, such as EG; empty: none."
    )
    country_header: str = Field(
        "",
        max_length=60,
        pattern="^([A-Za-z][A-Za-z0-9-]*)?$",
        description="Header in which TRUSTED_PROXIES name the country of the caller's address, such as CF-IPCountry. "
        "They must overwrite or strip what a caller sends in it.",
    )
    seller_name: str = Field("", max_length=200, description="Who sells, for invoices; default: PROJECT_NAME.")
    seller_address: str = Field("", max_length=500, description="Address on invoices.")
    seller_tax_number: str = Field("", max_length=100, description="Tax number on invoices.")
    retention_gateway_events_days: int = Field(
        400, ge=30, le=MAX_DAYS, description="What gateways told: a repeat is known for so long."
    )

    @field_validator(*_LISTS, mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        words = value.split(",") if isinstance(value, str) else value
        return (
            tuple(str(word).strip() for word in words if str(word).strip())
            if isinstance(words, list | tuple)
            else words
        )

    @field_validator("payment_gateways")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not set(value) <= set(KEYS_OF_GATEWAYS):
            raise ValueError(f"use {', '.join(KEYS_OF_GATEWAYS)}")
        return tuple(dict.fromkeys(value))

    @field_validator(*(name for name in _LISTS if name.endswith("_currencies")))
    @classmethod
    def _currencies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"[A-Z]{3}", word) for word in value):
            raise ValueError("use codes such as USD,EGP")
        return value

    @field_validator(*(name for name in _LISTS if name.endswith("_countries")))
    @classmethod
    def _countries(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"[A-Z]{2}", word) for word in value):
            raise ValueError("use codes such as EG,KW")
        return value

    @field_validator(*_BASES)
    @classmethod
    def _base(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
            raise ValueError("use https://host")
        return value.rstrip("/")

    @property
    def gateways_with_keys(self) -> tuple[str, ...]:
        """Gateways that somebody gave keys for."""
        return tuple(name for name, keys in KEYS_OF_GATEWAYS.items() if keys and self._has(keys[0]))

    @property
    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        """All that may have signed a webhook of Stripe's."""
        secrets = self.stripe_webhook_secret.get_secret_value().split(",")
        return tuple(secret.strip() for secret in secrets if secret.strip())

    def _live_gateways(self) -> list[str]:
        """Gateways whose keys take real money."""
        named = {"stripe": self.stripe_secret_key, "paymob": self.paymob_secret_key}
        live = [name for name, key in named.items() if "_live_" in key.get_secret_value()]
        base = self.myfatoorah_base_url
        is_live = self._has("myfatoorah_api_key") and base.startswith("https:") and "apitest." not in base
        return [*live, "myfatoorah"] if is_live else live

    def _has(self, name: str) -> bool:
        value = getattr(self, name)
        return bool(value.get_secret_value() if isinstance(value, SecretStr) else value)

    def gateways_on(self, *, is_embedded: bool, is_production: bool) -> tuple[str, ...]:
        """The gateways that take money here; only an embedded store may play with the sandbox."""
        has_sandbox = is_embedded and not is_production
        named = self.payment_gateways or self.gateways_with_keys or (SANDBOX,)
        return tuple(name for name in named if name != SANDBOX or has_sandbox)

    def payment_faults(self, *, is_embedded: bool, is_production: bool) -> list[str]:
        """Why money cannot be taken so."""
        meant = dict.fromkeys((*self.payment_gateways, *self.gateways_with_keys))
        faults = [
            f"{key.upper()} must be set: payments go by {name}"
            for name in meant
            for key in KEYS_OF_GATEWAYS[name]
            if not self._has(key)
        ]
        if "paymob" in meant and not (self.paymob_public_key or self.paymob_iframe_id):
            faults.append("PAYMOB_PUBLIC_KEY must be set, or PAYMOB_IFRAME_ID: payments go by paymob")
        if SANDBOX in self.payment_gateways and (is_production or not is_embedded):
            faults.append("PAYMENT_GATEWAYS has the sandbox, which works on the embedded store alone")
        if SANDBOX in self.payment_gateways and (live := self._live_gateways()):
            faults.append(
                f"PAYMENT_GATEWAYS has the sandbox beside live keys of {', '.join(live)}: courses for nothing"
            )
        if is_production:
            faults += [f"{name.upper()} is not https" for name in _BASES if getattr(self, name).startswith("http:")]
        return faults
