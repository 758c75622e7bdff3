"""Signatures of Paymob and MyFatoorah: the published vectors, and those computed from published texts, come out to the letter.

And what somebody can do to a signed word: take a piece away, write it otherwise, sign it with another secret, replay it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from lms_rt.contracts.gateways import BadSignature, Subject
from lms_rt.gateways.payments import myfatoorah_reading, paymob_reading
from lms_rt.gateways.payments.myfatoorah_signature import sign as base64_of
from lms_rt.gateways.payments.myfatoorah_signature import text_v1, text_v2
from lms_rt.gateways.payments.paymob_signature import (
    query_values,
    sign,
    subscription_text,
    token_text,
    transaction_values,
)
from lms_rt.gateways.payments.word_reader import MAX_VALUES, read_word

SIMULATED = "sim_hmac_secret"
PORTAL = "portal-secret-key"
OURS = frozenset({1001})


def transaction(**facts: Any) -> dict[str, Any]:
    """Vector B's."""
    source = {"pan": "0010", "sub_type": "Visa", "type": "card"}
    flags = ("is_3d_secure", "is_auth", "is_capture", "is_refunded", "is_voided", "pending", "error_occured")
    return {
        **dict.fromkeys(flags, False),
        "amount_cents": 10000,
        "created_at": "2026-08-14T12:00:00.000000",
        "currency": "EGP",
        "has_parent_transaction": False,
        "id": 900001,
        "integration_id": 1001,
        "is_standalone_payment": True,
        "order": {"id": 700001},
        "owner": 500001,
        "source_data": source,
        "success": True,
        **facts,
    }


B_TEXT = "100002026-08-14T12:00:00.000000EGPfalsefalse9000011001falsefalsefalsefalsetruefalse700001500001false0010Visacardtrue"
B_SIGNED = "033e0bca25918ecf037674c6f9e3ed1c11ba969f16b647f39cf0c404bdcf6db767e0fbe9dc8a523cbc8d19e459c3843222d167201f4705657002eb3671f2619b"
A_FACTS: dict[str, Any] = {
    "amount_cents": 50000,
    "created_at": "2021-08-02T15:45:26.988117",
    "id": 1111322,
    "integration_id": 21111,
    "is_3d_secure": True,
    "order": {"id": 111123451},
    "owner": 188,
    "source_data": {"pan": "1234", "sub_type": "MasterCard", "type": "card"},
}
A_TEXT = "500002021-08-02T15:45:26.988117EGPfalsefalse111132221111truefalsefalsefalsetruefalse111123451188false1234MasterCardcardtrue"
A_SECRET = "97A5B79200124C9E94E9D73763265D20"
A_SIGNED = "62a79c8d174f39d114ded8ad4885af25889b53deeae91d2ff6ddb7202188043e4c492686ce0780c91afc3fd4beb7728d95d7afb64dafa0d522ccacb760cbb950"
TOKEN = {
    "card_subtype": "Visa",
    "created_at": "2026-08-14T12:00:00.000000",
    "email": "test@example.com",
    "id": 800001,
    "masked_pan": "xxxx-xxxx-xxxx-0010",
    "merchant_id": 500001,
    "order_id": "700001",
    "token": "tok_sim_01J5A7V8M8QK6R2D1N4B9C3E5F",
}
TOKEN_SIGNED = "9492bf9da9bf2d3f31ffca5a1d6cbb08f01c8149a010edac20a96bd3d2b56e933a63ad3b53d4bafdfb92d4ba6a5b4a8713461c5e7b5b3a628351196da6476c32"
POKE_SIGNED = "47ca464cdead3cf8a8ef4a9e9594de84d9f0ca03d981b249fec973bddc3f4ca68024b712f94336baac13ec9de9df18bdc5604a4d346f62d6d9a3a2f6952bcc71"


class TestPaymob:
    def test_the_published_vectors_of_transactions(self) -> None:
        assert "".join(transaction_values(transaction(**A_FACTS))) == A_TEXT
        assert sign(A_TEXT, A_SECRET) == A_SIGNED
        assert "".join(transaction_values(transaction())) == B_TEXT
        assert sign(B_TEXT, SIMULATED) == B_SIGNED

    def test_the_vectors_of_a_card_token_and_of_a_subscription(self) -> None:
        assert sign(token_text(TOKEN), SIMULATED) == TOKEN_SIGNED
        assert sign(subscription_text("suspended", "1264"), SIMULATED) == POKE_SIGNED

    @pytest.mark.parametrize("order_name", ["order", "order_id"])
    @pytest.mark.parametrize("mark", [".", "_"])
    def test_the_way_back_of_a_browser_is_signed_alike(self, order_name: str, mark: str) -> None:
        query = {**way_back(), order_name: "700001"}
        source = transaction()["source_data"]
        query |= {f"source_data{mark}{name}": value for name, value in source.items()}
        assert "".join(query_values(query)) == B_TEXT
        (hint,) = hints(b"", {**query, "hmac": B_SIGNED})
        assert (hint.subject, hint.object_id, hint.key) == (Subject.PAYMENT, "700001", None)

    def test_a_true_word_names_its_order_and_is_known_again(self) -> None:
        first, again = (hints(body_of(transaction()), {"hmac": B_SIGNED})[0] for _ in "ab")
        assert first == again
        assert (first.subject, first.object_id) == (Subject.PAYMENT, "700001")

    def test_what_is_not_signed_makes_no_new_word(self) -> None:
        told = transaction(order={"id": 700001, "merchant_order_id": "ord_other-1"}, refunded_amount_cents=9_999)
        (hint,) = hints(body_of(told), {"hmac": B_SIGNED})
        assert hint == hints(body_of(transaction()), {"hmac": B_SIGNED})[0]

    def test_a_payment_of_another_integration_is_not_ours(self) -> None:
        told = transaction(integration_id=77)
        (hint,) = hints(body_of(told), {"hmac": sign("".join(transaction_values(told)), SIMULATED)})
        assert hint.subject is Subject.OTHER

    @pytest.mark.parametrize(
        "facts",
        [
            {"amount_cents": 1000, "created_at": "02026-08-14T12:00:00.000000"},
            {"created_at": "2026-08-14T12:00:00.000000EGP", "currency": ""},
            {"currency": "EGPfalse", "error_occured": ""},
            {"id": "9000011001", "integration_id": ""},
            {"order": {"id": "7000015"}, "owner": "00001"},
            {"order": {"id": ""}, "owner": "700001500001"},
            {"order": {"id": "700001500001false"}, "owner": "", "pending": ""},
            {"success": "", "source_data": {"pan": "0010", "sub_type": "Visa", "type": "cardtrue"}},
        ],
    )
    def test_a_true_word_that_is_cut_into_other_values_is_none(self, facts: dict[str, Any]) -> None:
        told = transaction(**facts)
        assert sign("".join(transaction_values(told)), SIMULATED) == B_SIGNED
        with pytest.raises(BadSignature):
            hints(body_of(told), {"hmac": B_SIGNED})

    def test_a_cut_that_looks_like_a_word_does_not_take_the_place_of_the_true_one(self) -> None:
        cut = transaction(order={"id": "70000150000"}, owner="1")
        (other,), (true,) = (hints(body_of(told), {"hmac": B_SIGNED}) for told in (cut, transaction()))
        assert (other.object_id, true.object_id) == ("70000150000", "700001")
        assert other.event_id != true.event_id

    @pytest.mark.parametrize(
        ("body", "query"),
        [
            (b"", {}),
            (b"{", {"hmac": B_SIGNED}),
            (b"[" * 100_000, {"hmac": B_SIGNED}),
            (b"null", {"hmac": B_SIGNED}),
            (b'{"type": "TRANSACTION", "obj": []}', {"hmac": B_SIGNED}),
            ("amount", {"hmac": B_SIGNED}),
            ("order", {"hmac": B_SIGNED}),
            ("nested", {"hmac": B_SIGNED}),
            ("true", {}),
            ("true", {"hmac": ""}),
            ("true", {"hmac": B_SIGNED[:-1]}),
            ("true", {"hmac": B_SIGNED.upper()}),
            ("true", {"hmac": "é" * 128}),
            ("true", {"hmac": sign(B_TEXT, "another")}),
            ("type", {"hmac": B_SIGNED}),
        ],
    )
    def test_whatever_was_done_to_it_is_no_word(self, body: bytes | str, query: dict[str, str]) -> None:
        made = {
            "true": transaction(),
            "amount": transaction(amount_cents=1),
            "order": transaction(order={"id": 700002}),
            "nested": transaction(owner={"id": 500001}),
        }
        if body == "type":
            body = json.dumps({"type": "PAYOUT", "obj": transaction()}).encode()
        sent = body if isinstance(body, bytes) else body_of(made[body])
        with pytest.raises(BadSignature):
            hints(sent, query)

    def test_nobody_signs_with_an_empty_secret(self) -> None:
        with pytest.raises(BadSignature):
            paymob_reading.hints_of(body_of(transaction()), {"hmac": sign(B_TEXT, "")}, secret="", integrations=OURS)

    @pytest.mark.parametrize(
        "facts",
        [
            {"pending": True},
            {"success": False},
            {"success": "true"},
            {"error_occured": True},
            {"is_auth": True},
            {"pending": None},
        ],
    )
    def test_money_is_there_only_when_all_of_it_says_so(self, facts: dict[str, Any]) -> None:
        assert paymob_reading.is_paid(transaction())
        assert not paymob_reading.is_paid(transaction(**facts))

    def test_a_kept_card_leaves_nothing_of_itself(self) -> None:
        body = json.dumps({"type": "TOKEN", "obj": TOKEN}).encode()
        (hint,) = hints(body, {"hmac": TOKEN_SIGNED})
        assert (hint.subject, hint.object_id, dict(hint.facts)) == (Subject.OTHER, "", {})
        assert not any(str(secret) in repr(hint) for secret in (TOKEN["token"], TOKEN["email"], TOKEN["masked_pan"]))

    def test_a_poke_about_a_subscription(self) -> None:
        told = {
            "paymob_request_id": "one",
            "subscription_data": {"id": 1264},
            "trigger_type": "suspended",
            "hmac": POKE_SIGNED,
        }
        (hint,) = hints(json.dumps(told).encode(), {})
        assert (hint.subject, hint.object_id, hint.event_type) == (Subject.SUBSCRIPTION, "1264", "suspended")
        (next_month,) = hints(json.dumps({**told, "paymob_request_id": "two"}).encode(), {})
        assert next_month.event_id != hint.event_id
        for forged in ({"trigger_type": "resumed"}, {"subscription_data": {"id": 1265}}, {"hmac": 1}, {"hmac": ""}):
            with pytest.raises(BadSignature):
                hints(json.dumps({**told, **forged}).encode(), {})


def way_back() -> dict[str, str]:
    """As Paymob writes it into an address, without the names that come in several ways."""
    flat = {name: value for name, value in transaction().items() if name not in {"order", "source_data"}}
    return {name: json.dumps(value) if isinstance(value, bool) else str(value) for name, value in flat.items()}


def body_of(told: dict[str, Any]) -> bytes:
    return json.dumps({"type": "TRANSACTION", "obj": told}).encode()


def hints(body: bytes, query: dict[str, str]) -> list[Any]:
    return paymob_reading.hints_of(body, query, secret=SIMULATED, integrations=OURS)


LIBRARY_SECRET = "7wNeL4LfSs/EHVOf0Xzeq1ja+HbPr//2XC2fZO24wA6479AT8o84BmELU2FiRwIpd+rM9W5/egjFuihNSXsHKw=="
PAID_V1 = (
    "AuthorizationId=B68413,BaseCurrency=KWD,CreatedDate=04032021211555,CustomerEmail=,CustomerMobile=96512345678,"
    "CustomerName=Test,CustomerReference=order-1,DisplayCurrency=KWD,InvoiceId=586170,InvoiceReference=2021000184,"
    "InvoiceValueInBaseCurrency=456.75,InvoiceValueInDisplayCurreny=456.75,InvoiceValueInPayCurrency=456.75,PayCurrency=KWD,"
    "PaymentId=100202106359084366,PaymentMethod=KNET,ReferenceId=106310001097,TrackId=04-03-2021_477336,"
    "TransactionStatus=SUCCESS,UserDefinedField="
)
PAID_V1_SIGNED = "v9luxVrOq6F8We0VYTU7sSUwAKfhjkznH8qwtIz40jc="
PAID_V2: dict[str, Any] = {
    "Invoice": {"Id": "6409988", "Status": "PAID", "ExternalIdentifier": "asdqwd-f13sdf-fasjkz"},
    "Transaction": {"Status": "SUCCESS", "PaymentId": "07076409988323998875"},
    "Amount": {"ValueInBaseCurrency": "1"},
}


class TestMyFatoorah:
    def test_the_library_s_own_vector_sorts_without_regard_to_case(self) -> None:
        data = {
            "DepositReference": "2021000008",
            "DepositedAmount": "1520.664",
            "NumberOfTransactions": "47",
            "DepositFor": "VENDOR",
            "SupplierCode": None,
        }
        text = text_v1(3, data)
        assert text == (
            "DepositedAmount=1520.664,DepositFor=VENDOR,DepositReference=2021000008,NumberOfTransactions=47,SupplierCode="
        )
        assert base64_of(text, LIBRARY_SECRET) == "uRBOogk9ek7Hgsxs/Rt7Nvbu7Vxf+4eI5gwvbtg0NCw="

    def test_a_payment_in_version_1(self) -> None:
        data = {name: value or None for name, _, value in (one.partition("=") for one in PAID_V1.split(","))}
        assert text_v1(1, dict(reversed(data.items()))) == PAID_V1
        body = json.dumps({"EventType": 1, "Event": "TransactionsStatusChanged", "Data": data}).encode()
        (hint,) = told_v1(body, PAID_V1_SIGNED)
        assert (hint.subject, hint.object_id, hint.key) == (Subject.PAYMENT, "586170", "order-1")

    def test_numbers_of_version_1_are_signed_as_they_were_written(self) -> None:
        body = b'{"EventType": 1, "Data": {"InvoiceId": 12, "Value": 2.500, "IsLive": true, "IsTest": false}}'
        (hint,) = told_v1(body, base64_of("InvoiceId=12,IsLive=1,IsTest=,Value=2.500", PORTAL))
        assert hint.object_id == "12"

    def test_a_refund_of_version_1_leaves_an_object_out(self) -> None:
        data = {"RefundId": 2840, "RefundStatus": "REFUNDED", "InvoiceId": "7", "GatewayReference": {"PaymentId": "x"}}
        signature = base64_of("InvoiceId=7,RefundId=2840,RefundStatus=REFUNDED", PORTAL)
        (hint,) = told_v1(json.dumps({"EventType": 2, "Data": data}).encode(), signature)
        assert (hint.subject, hint.object_id) == (Subject.REFUND, "7")
        with pytest.raises(BadSignature):  # of no other event
            told_v1(json.dumps({"EventType": 1, "Data": data}).encode(), signature)

    @pytest.mark.parametrize(
        ("name", "data", "signature"),
        [
            ("PAYMENT_STATUS_CHANGED", PAID_V2, "IXG8ikJNXCQbmiudT0IDOL4LGV0sZSQwi4Ys7cxe++A="),
            (
                "PAYMENT_STATUS_CHANGED",
                {
                    "Invoice": {"Id": "6409988", "Status": "PAID"},
                    "Transaction": {"Status": "SUCCESS", "PaymentId": None},
                },
                "12T+ExvD4IzAFUcsyhDPt4/XU196kCAnvcxA3BqA3go=",
            ),
            (
                "REFUND_STATUS_CHANGED",
                {
                    "Refund": {"Id": 111147, "Status": "REFUNDED"},
                    "Amount": {"ValueInBaseCurrency": "30"},
                    "ReferencedInvoice": {"Id": "5620277"},
                },
                "cXJ5JEaCAleEzpUUYY8KBhC6BXhgZd+n5l42LLY3EYc=",
            ),
            (
                "RECURRING_UPDATES",
                {"Recurring": {"Id": "RECUR287", "Status": "ACTIVE", "InitialInvoiceId": 586170}},
                "yekbqtPqwrkSZUQlNE67PMIoK8jg/WS1XZM9ubF6n68=",
            ),
        ],
    )
    def test_the_vectors_of_version_2(self, name: str, data: dict[str, Any], signature: str) -> None:
        assert base64_of(text_v2(name, data), PORTAL) == signature
        body = json.dumps({"Event": {"Name": name, "Reference": "WH-1"}, "Data": data}).encode()
        (hint,) = told_v2(body, signature)
        assert (hint.subject is Subject.OTHER, hint.object_id) != (True, "")
        (again,) = told_v2(body.replace(b"WH-1", b"WH-2"), signature)
        assert (again.event_id == hint.event_id) is (name != "RECURRING_UPDATES")  # the same is signed every month

    @pytest.mark.parametrize(
        ("body", "signature", "version"),
        [
            (b"<html>", "x", "v2"),
            (b"{}", "x", "v1"),
            (b'{"Data": {}}', "x", "v3"),
            ({"Event": {"Name": "PAYMENT_STATUS_CHANGED"}, "Data": {**PAID_V2, "Invoice": {"Id": "1"}}}, "", "v2"),
            ({"Event": {"Name": "SOMETHING_NEW"}, "Data": PAID_V2}, base64_of("", PORTAL), "v2"),
            ({"Event": "PAYMENT_STATUS_CHANGED", "Data": PAID_V2}, base64_of("", PORTAL), "v2"),
            ({"EventType": 1, "Data": {"InvoiceId": {"a": 1}}}, base64_of("InvoiceId={'a': 1}", PORTAL), "v1"),
            ({"EventType": 1, "Data": {"InvoiceId": "5"}}, base64_of("InvoiceId=5", "another"), "v1"),
            ({"EventType": 1, "Data": {"InvoiceId": "5", "New": "1"}}, base64_of("InvoiceId=5", PORTAL), "v1"),
        ],
    )
    def test_whatever_was_done_to_it_is_no_word(self, body: Any, signature: str, version: str) -> None:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        with pytest.raises(BadSignature):
            myfatoorah_reading.hints_of(
                sent,
                version=version,
                signature=signature or base64_of(text_v2("PAYMENT_STATUS_CHANGED", PAID_V2), PORTAL),
                secret=PORTAL,
            )

    def test_nobody_signs_with_an_empty_secret(self) -> None:
        body = b'{"EventType": 1, "Data": {"InvoiceId": "5"}}'
        with pytest.raises(BadSignature):
            myfatoorah_reading.hints_of(body, version="v1", signature=base64_of("InvoiceId=5", ""), secret="")


def told_v1(body: bytes, signature: str) -> list[Any]:
    return myfatoorah_reading.hints_of(body, version="v1", signature=signature, secret=PORTAL)


def told_v2(body: bytes, signature: str) -> list[Any]:
    return myfatoorah_reading.hints_of(body, version="V2", signature=signature, secret=PORTAL)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "latin-1"])
def test_a_word_in_another_encoding_is_nobodys(encoding: str) -> None:
    told = {"type": "TRANSACTION", "obj": {"values": ["é", "∀", *range(MAX_VALUES + 1)]}}
    text = json.dumps(told, ensure_ascii=False).replace("∀", "" if encoding == "latin-1" else "∀")
    with pytest.raises(BadSignature):
        read_word(text.encode(encoding))
    short = json.dumps({"type": "TRANSACTION", "obj": {"currency": "é"}}, ensure_ascii=False)
    with pytest.raises(BadSignature):
        read_word(short.encode(encoding))
    assert read_word(short.encode()) == {"type": "TRANSACTION", "obj": {"currency": "é"}}
