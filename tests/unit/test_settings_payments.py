"""The settings of payments: keys that go together are named when one is missing, and what cannot be is refused at the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import SettingsError, load_settings
from lms_rt.clock import Clock
from lms_rt.contracts.gateways import Money
from lms_rt.gateways.payments.myfatoorah import opened_myfatoorah
from lms_rt.gateways.payments.paymob import opened_paymob

PAYMOB = {
    "PAYMOB_SECRET_KEY": "egy_sk_test_x",
    "PAYMOB_API_KEY": "x",
    "PAYMOB_HMAC_SECRET": "x",
    "PAYMOB_INTEGRATION_ID_CARD": "1",
    "PAYMOB_PUBLIC_KEY": "egy_pk_test_x",
}
MYFATOORAH = {"MYFATOORAH_API_KEY": "x", "MYFATOORAH_WEBHOOK_SECRET": "x"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LMS_DATA_DIR", str(tmp_path))
    return monkeypatch


def faults(environment: pytest.MonkeyPatch, **values: str) -> list[str]:
    for name, value in values.items():
        environment.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return caught.value.faults


@pytest.mark.parametrize("missing", ["PAYMOB_API_KEY", "PAYMOB_HMAC_SECRET", "PAYMOB_INTEGRATION_ID_CARD"])
def test_a_key_that_is_missing_is_named(environment: pytest.MonkeyPatch, missing: str) -> None:
    given = {name: value for name, value in PAYMOB.items() if name != missing}
    assert faults(environment, **given) == [f"{missing} must be set: payments go by paymob"]


def test_paymob_needs_a_page_of_either_kind(environment: pytest.MonkeyPatch) -> None:
    given = PAYMOB | {"PAYMOB_PUBLIC_KEY": ""}
    assert faults(environment, **given) == ["PAYMOB_PUBLIC_KEY must be set, or PAYMOB_IFRAME_ID: payments go by paymob"]
    environment.setenv("PAYMOB_IFRAME_ID", "42")
    assert load_settings().payment_gateways_on == ("paymob",)


async def test_an_account_is_what_its_settings_say(environment: pytest.MonkeyPatch) -> None:
    for name, value in (PAYMOB | MYFATOORAH | {"MYFATOORAH_CURRENCIES": "KWD"}).items():
        environment.setenv(name, value)
    paymob, myfatoorah = (make(load_settings(), Clock()) for make in (opened_paymob, opened_myfatoorah))
    assert [one.method for one in await paymob.methods(Money(100, "EGP"))] == ["card"]
    assert await paymob.methods(Money(100, "SAR")) == (), "the keys are of Egypt"
    assert not paymob.has_subscriptions, "for those it has no integrations"
    assert await myfatoorah.methods(Money(100, "SAR")) == (), "without asking anybody"
    environment.setenv("PAYMOB_CURRENCIES", "EGP,USD")
    assert await opened_paymob(load_settings(), Clock()).methods(Money(100, "USD"))


@pytest.mark.parametrize(
    ("given", "live"),
    [
        ({"STRIPE_SECRET_KEY": "sk_live_x", "STRIPE_WEBHOOK_SECRET": "whsec_x"}, "stripe"),
        (PAYMOB | {"PAYMOB_SECRET_KEY": "egy_sk_live_x"}, "paymob"),
        (MYFATOORAH | {"MYFATOORAH_BASE_URL": "https://api.myfatoorah.com"}, "myfatoorah"),
    ],
)
def test_nobody_plays_beside_real_money(environment: pytest.MonkeyPatch, given: dict[str, str], live: str) -> None:
    said = faults(environment, **given, PAYMENT_GATEWAYS=f"{live},sandbox")
    assert said == [f"PAYMENT_GATEWAYS has the sandbox beside live keys of {live}: courses for nothing"]


def test_whoever_names_a_gateway_means_it(environment: pytest.MonkeyPatch) -> None:
    assert faults(environment, PAYMENT_GATEWAYS="myfatoorah") == [
        f"{name} must be set: payments go by myfatoorah" for name in MYFATOORAH
    ]
    for name, value in (PAYMOB | MYFATOORAH).items():
        environment.setenv(name, value)
    assert load_settings().payment_gateways_on == ("myfatoorah",), "the other has keys, and is not named"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PAYMENT_GATEWAYS", "paymob,paypal"),
        ("PAYMOB_CURRENCIES", "egp"),
        ("MYFATOORAH_COUNTRIES", "KWT"),
        ("PAYMOB_BASE_URL", "accept.paymob.com"),
        ("MYFATOORAH_BASE_URL", "https://name:key@api.myfatoorah.com"),
    ],
)
def test_what_cannot_be_is_refused(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    assert len(faults(environment, **{name: value})) == 1
