"""Stripe's webhooks: only what Stripe signed just now is heard, and it is heard as what it is about."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lms_rt.contracts.gateways import BadSignature, GatewayRefused, Hint, Money, Subject
from lms_rt.gateways.payments.http import is_page
from lms_rt.gateways.payments.stripe_amounts import from_stripe, is_taken, to_stripe
from lms_rt.gateways.payments.stripe_calls import VERSION
from lms_rt.gateways.payments.stripe_hints import check_signature, hint_of
from tests.servers.stripe_events import signed_word

SECRET, AT = "whsec_test_secret", 1_700_000_000
BODY = (
    b'{"id":"evt_1","object":"event","type":"payment_intent.succeeded","api_version":"2026-10-28.endive","livemode":false,'
    b'"created":1700000000,"data":{"object":{"id":"pi_1","object":"payment_intent","amount":1000,'
    b'"metadata":{"order_id":"o1"}}}}'
)
SIGNATURE = "71bca510fae86a8d3c2afbaf39d812c7a2f0bf2fcaf5d950813b6e0eeed7b627"
HEADER = f"t={AT},v1={SIGNATURE}"


def is_heard(header: str, body: bytes = BODY, *, secrets: tuple[str, ...] = (SECRET,), now: int = AT) -> bool:
    try:
        check_signature(header, body, secrets=secrets, now_seconds=now)
    except BadSignature:
        return False
    return True


def test_the_published_vector_is_heard() -> None:
    assert signed_word(BODY, SECRET, AT).headers["Stripe-Signature"] == HEADER
    assert is_heard(HEADER)
    assert is_heard(f"t={AT},v1={'0' * 64},v0=x,v1={SIGNATURE}")
    assert is_heard(HEADER, secrets=("whsec_of_tomorrow", SECRET))


@pytest.mark.parametrize("seconds", [-300, 300])
def test_a_word_is_heard_within_five_minutes_of_either_side(seconds: int) -> None:
    assert is_heard(HEADER, now=AT + seconds)
    assert not is_heard(HEADER, now=AT + (301 if seconds > 0 else -301))


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("", BODY),
        (HEADER, BODY[:-1]),
        (HEADER, BODY.replace(b"1000", b"1001")),
        (HEADER, json.dumps(json.loads(BODY)).encode()),
        (HEADER, BODY + b"\n"),
        (f"t={AT}", BODY),
        (f"v1={SIGNATURE}", BODY),
        (f"t={AT + 1},v1={SIGNATURE}", BODY),
        (f"t={AT},t={AT},v1={SIGNATURE}", BODY),
        (f"t={AT},v0={SIGNATURE}", BODY),
        (f"t=-{AT},v1={SIGNATURE}", BODY),
        (f"t=١٧٠٠٠٠٠٠٠٠,v1={SIGNATURE}", BODY),
        (f"t={AT},v1={SIGNATURE[:-1]}é", BODY),
        (f"t={'9' * 5_000},v1={SIGNATURE}", BODY),
        ("," * 10_000 + HEADER, BODY),
    ],
)
def test_what_stripe_did_not_sign_so_is_not_heard(header: str, body: bytes) -> None:
    assert not is_heard(header, body)


@pytest.mark.parametrize("secrets", [(), ("",), ("whsec_other", "whsec_another"), (SECRET.removeprefix("whsec_"),)])
def test_another_secret_is_not_heard(secrets: tuple[str, ...]) -> None:
    assert not is_heard(HEADER, secrets=secrets)


def hint(event_type: str, told: dict[str, Any], **event: Any) -> Hint:
    whole = {"id": "evt_2", "type": event_type, "api_version": VERSION, "livemode": False, "data": {"object": told}}
    return hint_of(json.dumps({**whole, **event}).encode(), is_live=False, version=VERSION)


SESSION = {"id": "cs_1", "object": "checkout.session", "mode": "payment", "metadata": {"key": "ord_1-1"}}
INVOICE = {"id": "in_1", "parent": {"subscription_details": {"subscription": "sub_1"}}}


@pytest.mark.parametrize(
    ("event_type", "told", "subject", "object_id"),
    [
        ("payment_intent.succeeded", {"id": "pi_1"}, Subject.PAYMENT, "pi_1"),
        ("payment_intent.payment_failed", {"id": "pi_1"}, Subject.PAYMENT, "pi_1"),
        ("checkout.session.completed", SESSION, Subject.PAYMENT, "cs_1"),
        (
            "checkout.session.completed",
            {**SESSION, "mode": "subscription", "subscription": "sub_1"},
            Subject.SUBSCRIPTION,
            "sub_1",
        ),
        ("checkout.session.completed", {**SESSION, "mode": "setup", "subscription": None}, Subject.OTHER, ""),
        ("checkout.session.expired", {**SESSION, "mode": "subscription", "subscription": None}, Subject.OTHER, ""),
        ("charge.refunded", {"id": "ch_1", "payment_intent": "pi_1"}, Subject.REFUND, "pi_1"),
        ("refund.failed", {"id": "re_1", "payment_intent": {"id": "pi_1"}}, Subject.REFUND, "pi_1"),
        ("charge.dispute.created", {"id": "dp_1", "payment_intent": "pi_1"}, Subject.DISPUTE, "pi_1"),
        ("charge.dispute.created", {"id": "dp_1", "payment_intent": None}, Subject.OTHER, ""),
        ("invoice.paid", INVOICE, Subject.SUBSCRIPTION, "sub_1"),
        ("invoice.paid", {"id": "in_1", "subscription": "sub_old"}, Subject.SUBSCRIPTION, "sub_old"),
        ("invoice.paid", {"id": "in_1"}, Subject.OTHER, ""),
        ("customer.subscription.deleted", {"id": "sub_1"}, Subject.SUBSCRIPTION, "sub_1"),
        ("payout.paid", {"id": "po_1"}, Subject.OTHER, ""),
    ],
)
def test_an_event_is_heard_as_what_it_is_about(
    event_type: str, told: dict[str, Any], subject: Subject, object_id: str
) -> None:
    heard = hint(event_type, told)
    assert (heard.event_id, heard.event_type, heard.subject, heard.object_id) == (
        "evt_2",
        event_type,
        subject,
        object_id,
    )


def test_the_key_of_a_checkout_comes_along_and_nothing_else_of_the_event_does() -> None:
    told = {**SESSION, "customer_details": {"email": "payer@private.example"}, "client_secret": "cs_1_secret"}
    heard = hint("checkout.session.completed", told, api_version="2017-08-15")
    assert heard.key == "ord_1-1"
    assert heard.facts == {"object": "checkout.session", "api_version": "2017-08-15"}


def test_metadata_of_another_shape_is_no_key() -> None:
    heard = hint("payment_intent.succeeded", {"id": "pi_1", "metadata": ["key"]})
    assert (heard.object_id, heard.key) == ("pi_1", None)


@pytest.mark.parametrize(
    ("place", "is_shown"),
    [
        ("https://pay.example/1", True),
        ("http://127.0.0.1:9/1", True),
        ("http://127.0.0.1.evil.example/1", False),
        ("http://pay.example/1", False),
        ("https:///1", False),
        ("https://[", False),
        (None, False),
    ],
)
def test_a_browser_is_sent_to_https_alone(place: object, *, is_shown: bool) -> None:
    assert is_page(place, "http://127.0.0.1:9") is is_shown


def test_another_merchants_event_and_a_real_one_among_tests_are_nobodys_payment() -> None:
    told = {"id": "pi_1", "metadata": {"key": "ord_1-1"}}
    for event in ({"account": "acct_other"}, {"livemode": True}):
        heard = hint("payment_intent.succeeded", told, **event)
        assert (heard.subject, heard.key) == (Subject.OTHER, None)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 100_000, BODY.replace(b'"evt_1"', b"7"), BODY[:60]]
)
def test_what_is_no_event_is_refused_though_it_was_signed(body: bytes) -> None:
    with pytest.raises(BadSignature):
        hint_of(body, is_live=False, version=VERSION)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Money(1999, "USD"), 1999),
        (Money(500, "JPY"), 500),
        (Money(12_340, "KWD"), 12_340),
        (Money(500, "ISK"), 50_000),
        (Money(500, "UGX"), 50_000),
        (Money(8_950_000, "LBP"), 8_950_000),
    ],
)
def test_amounts_are_counted_as_stripe_counts(ours: Money, theirs: int) -> None:
    assert to_stripe(ours) == theirs
    assert from_stripe(theirs, ours.currency.lower()) == ours


@pytest.mark.parametrize(
    "money", [Money(12_345, "KWD"), Money(0, "USD"), Money(-1, "USD"), Money(10**8, "USD"), Money(100, "IRR")]
)
def test_what_stripe_cannot_charge_exactly_is_not_charged(money: Money) -> None:
    assert not is_taken(money)
    with pytest.raises(GatewayRefused):
        to_stripe(money)
