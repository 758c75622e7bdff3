"""Money in numbers, the settings of gateways, and what a reading may change in a payment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from config.settings import Settings, SettingsError, load_settings
from documents.enums import PaymentStatus
from documents.payment import PAID
from lms_rt.contracts.base import read_model
from lms_rt.contracts.gateways import Charged, Disputed, GatewayDispute, GatewayPayment, Money
from lms_rt.contracts.money import MAX_AMOUNT, amount_text, exponent, from_decimal, is_known, money_text, to_decimal
from lms_rt.contracts.outbox import Write
from lms_rt.contracts.payments import CourseOrderDraft
from lms_rt.errors import Refused
from lms_rt.gateways.payments.stripe_amounts import from_stripe, is_taken, to_stripe
from lms_rt.services.payments.changes import PaymentChange
from lms_rt.services.payments.entitlements import AccessRules, is_valid
from lms_rt.services.payments.invoice_words import sum_text
from lms_rt.services.payments.payment_effects import told_of
from lms_rt.services.payments.payment_facts import GIVE_UP_AFTER, facts_of
from lms_rt.services.payments.states import MACHINES, ORDER, PAYMENT

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PLACES = {"JPY": 0, "USD": 2, "EGP": 2, "SAR": 2, "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3}


@profile(max_examples=30)
@given(st.integers(-MAX_AMOUNT, MAX_AMOUNT), st.sampled_from(sorted(PLACES)))
def test_minor_units_go_to_decimals_and_back_without_a_loss(amount: int, currency: str) -> None:
    value = to_decimal(amount, currency)
    assert from_decimal(value, currency) == amount
    assert from_decimal(amount_text(amount, currency), currency) == amount
    assert exponent(currency) == PLACES[currency]
    assert -value.as_tuple().exponent == PLACES[currency]  # type: ignore[operator]  # finite


@pytest.mark.parametrize(
    ("value", "currency"),
    [
        ("1.999", "USD"),
        ("0.5", "JPY"),
        ("NaN", "USD"),
        ("Infinity", "USD"),
        ("x", "USD"),
        ("1", "XYZ"),
        ("1e30", "USD"),
    ],
)
def test_what_is_no_amount_of_the_currency_is_refused(value: str, currency: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        from_decimal(value, currency)
    with pytest.raises(TypeError):
        from_decimal(1.5, currency)  # type: ignore[arg-type]  # that is the point


def test_amounts_are_written_with_the_places_of_their_currency() -> None:
    texts = [amount_text(*one) for one in ((1999, "USD"), (1999, "JPY"), (10_000, "KWD"), (5, "KWD"), (-1, "USD"))]
    assert texts == ["19.99", "1999", "10.000", "0.005", "-0.01"]
    for currency in ("usd", "XYZ", "EURO"):
        with pytest.raises(Refused):
            read_model(CourseOrderDraft, {"course_id": "crs_1", "currency": currency})


def worked_examples() -> list[list[str]]:
    """The rows of the table of amounts in the documentation."""
    text = (Path(__file__).parents[2] / "docs" / "payments.md").read_text(encoding="utf-8")
    table = text.partition("<!-- begin amounts -->")[2].partition("<!-- end amounts -->")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]


@pytest.mark.parametrize("row", worked_examples(), ids=lambda row: f"{row[0]}-{row[1]}")
def test_money_is_kept_and_charged_in_the_minor_unit_of_iso_4217_and_shown_as_people_write_it(row: list[str]) -> None:
    kept, currency, places, on_paper, on_page, sent = row
    money = Money(int(kept), currency)
    assert exponent(currency) == int(places)
    assert sum_text(money.amount, currency) == on_paper
    assert money_text(money.amount, currency, "en") == on_page
    assert (str(to_stripe(money)) if is_taken(money) else "—") == sent
    if sent != "—":
        assert from_stripe(int(sent), currency) == money


def test_every_currency_that_has_no_hundredths_is_known_and_metals_are_no_money() -> None:
    no_places = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
    three = "BHD IQD JOD KWD LYD OMR TND"
    assert {exponent(code) for code in no_places.split()} == {0}
    assert {exponent(code) for code in three.split()} == {3}
    assert [exponent(code) for code in ("CLF", "UYW", "MRU", "LAK", "MMK", "IRR")] == [4, 4, 2, 2, 2, 2]
    assert not any(is_known(code) for code in ("XAU", "XDR", "XTS", "XXX", "QQQ"))


# --- settings ---


def settings_with(tmp_path: Path, **more: Any) -> Settings:
    return load_settings(_env_file=None, lms_data_dir=tmp_path, **more)


def test_gateways_are_on_by_their_keys_and_the_sandbox_only_where_there_are_none(tmp_path: Path) -> None:
    assert settings_with(tmp_path).payment_gateways_on == ("sandbox",)
    stripe = {"stripe_secret_key": "sk_test_1", "stripe_webhook_secret": "whsec_1, whsec_2"}
    found = settings_with(tmp_path, **stripe)
    assert found.payment_gateways_on == ("stripe",)
    assert found.stripe_webhook_secrets == ("whsec_1", "whsec_2")
    both = settings_with(tmp_path, **stripe, payment_gateways="sandbox,stripe")
    assert both.payment_gateways_on == ("sandbox", "stripe")
    assert both.gateways_on(is_embedded=False, is_production=False) == ("stripe",)
    assert "sk_test_1" not in str(both.masked())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stripe_secret_key": "sk_test_1"}, "STRIPE_WEBHOOK_SECRET must be set: payments go by stripe"),
        ({"payment_gateways": "paymob"}, "PAYMOB_SECRET_KEY must be set: payments go by paymob"),
        ({"payment_gateways": "cash"}, "use stripe, paymob, myfatoorah, sandbox"),
        ({"stripe_currencies": "usd"}, "use codes such as USD,EGP"),
        ({"paymob_countries": "EGY"}, "use codes such as EG,KW"),
        ({"stripe_api_base": "ftp://x"}, "use https://host"),
        ({"environment": "production", "payment_gateways": "sandbox"}, "PAYMENT_GATEWAYS has the sandbox"),
        ({"environment": "production", "paymob_base_url": "http://x"}, "PAYMOB_BASE_URL is not https"),
    ],
)
def test_settings_by_which_no_money_could_come_stop_the_start(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_with(tmp_path, **given)
    assert said in str(caught.value)


# --- states ---


def test_no_table_completes_twice_nor_goes_back_to_the_beginning() -> None:
    for machine in MACHINES:
        assert {event for _, event in machine.table} == set(machine.events), "an event without an edge, or nameless"
        for (before, _), after in machine.table.items():
            assert after not in (before, machine.initial)
    for machine in (ORDER, PAYMENT):
        for state in ("failed", "cancelled", "expired"):
            assert machine.after(state, "pay") == "completed", "late money"
            assert {event for its, event in machine.table if its == state} == {"pay"}
    assert PAYMENT.after("completed", "pay") is None


def row_of(**fields: Any) -> dict[str, Any]:
    row = {"status": "pending", "amount": 1000, "currency": "USD", "gateway": "stripe", "key": "ord_1-1"}
    return {**row, "intent_id": "pi_1", "created_at": NOW - timedelta(hours=1), **fields}


def read_of(state: Charged = Charged.COMPLETED, **fields: Any) -> GatewayPayment:
    return GatewayPayment("pi_1", state, Money(1000, "USD"), key="ord_1-1", **fields)


_STATES = st.sampled_from(list(Charged))
_DISPUTES = st.sampled_from([(), *[(GatewayDispute("dp_1", 1000, state),) for state in Disputed]])


@profile(max_examples=30)
@given(st.lists(st.tuples(_STATES, _DISPUTES), max_size=8))
def test_no_reading_takes_back_what_came_whatever_was_read_before(reads: list[Any]) -> None:
    row, has_come, has_ended = row_of(), False, False
    for state, disputes in reads:
        row |= facts_of(row, read_of(state, disputes=disputes), {}, held=None, now=NOW)
        has_come = has_come or state is Charged.COMPLETED
        assert (row["status"] in PAID) == has_come
        assert (row.get("paid_amount") == 1000) == has_come
        has_ended = has_ended or row.get("dispute") in ("won", "lost")
        assert not (has_ended and row["dispute"] == "open")
        assert (row.get("check_at") is not None) == (row["status"] == PaymentStatus.PENDING)


def test_of_two_disputes_the_lost_one_stays_in_the_books_and_closes_what_was_bought() -> None:
    both = (GatewayDispute("dp_1", 400, Disputed.OPEN), GatewayDispute("dp_2", 500, Disputed.OPEN))
    row = row_of()
    row |= facts_of(row, read_of(disputes=both), {}, held=None, now=NOW)
    assert (row["dispute"], row["dispute_amount"]) == ("open", 900)
    first_lost = (GatewayDispute("dp_1", 400, Disputed.LOST), both[1])
    before, row = row, row | facts_of(row, read_of(disputes=first_lost), {}, held=None, now=NOW)
    assert (row["dispute"], row["dispute_amount"]) == ("open", 900), "the bank has all of it still"
    patient = AccessRules(dispute_ends_access=False)
    assert (is_valid(before, patient), is_valid(row, patient)) == (True, False)
    assert PaymentChange(before, row, None).is_about_access, "somebody has to look who is in the course"
    one_won = (first_lost[0], GatewayDispute("dp_2", 500, Disputed.WON))
    before, row = row, row | facts_of(row, read_of(disputes=one_won), {}, held=None, now=NOW)
    assert (row["dispute"], row["dispute_amount"]) == ("lost", 400)
    assert PaymentChange(before, row, None).is_dispute_moved
    both_won = (GatewayDispute("dp_1", 400, Disputed.WON), one_won[1])
    row |= facts_of(row, read_of(disputes=both_won), {}, held=None, now=NOW)
    assert (row["dispute"], is_valid(row, AccessRules())) == ("won", True)


def test_a_payment_that_nobody_pays_is_given_up_at_last_and_still_taken_when_it_comes() -> None:
    old = row_of(created_at=NOW - GIVE_UP_AFTER - timedelta(days=1))
    given_up = facts_of(old, read_of(Charged.PENDING), {}, held=None, now=NOW)
    assert given_up["status"] == "expired"
    late = facts_of({**old, **given_up}, read_of(), {}, held="late", now=NOW)
    assert (late["status"], late["held"], late["paid_amount"]) == ("completed", "late", 1000)
    part = facts_of({**old, **late}, read_of(), {"refunded_amount": 1, "reserved_amount": 0}, held=None, now=NOW)
    assert part["status"] == "partially_refunded"


def test_a_receipt_and_the_event_tell_the_sum_that_came() -> None:
    held: dict[str, Any] = {
        "_id": "pay_1",
        "user_id": "usr_1",
        "order_id": "ord_1",
        "gateway": "stripe",
        "status": "completed",
    }
    held |= {
        "amount": 50_000,
        "currency": "EGP",
        "paid_amount": 1_000,
        "paid_currency": "USD",
        "held": "currency_mismatch",
    }
    released = {name: value for name, value in held.items() if name != "held"}
    order = {"amount": 2_000, "tax_amount": 246, "tax_name": "VAT", "tax_basis_points": 1_400}
    told = told_of(Write(2, NOW), PaymentChange(held, released, order))
    receipt = told[1]["data"]["data"]
    assert (receipt["tax_amount"], receipt["tax_label"]) == (123, "VAT, 14%")
    assert [str(one).count("'amount': 1000, 'currency': 'USD'") for one in told] == [1, 1]
