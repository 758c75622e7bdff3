"""A small MyFatoorah on a real socket, made after the documentation of its API v2: invoices, refunds, what is drawn monthly.

It keeps no idempotency keys, as the real one, and spells as it does. Its signatures are written apart from the product's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.servers.gateway_desk import PRIVATE, Asked, Desk, No, Thing, Word, answering

API_KEY = "myfatoorah-token-fake"
WEBHOOK_SECRET = "portal-secret-key"  # of no use outside the tests
_METHODS: tuple[Thing, ...] = (
    {
        "PaymentMethodId": 1,
        "PaymentMethodCode": "kn",
        "PaymentMethodEn": "KNET",
        "PaymentMethodAr": "كي نت",
        "fee": "0",
    },
    {
        "PaymentMethodId": 2,
        "PaymentMethodCode": "vm",
        "PaymentMethodEn": "VISA/MASTER",
        "PaymentMethodAr": "فيزا",
        "fee": "0.1",
    },
    {
        "PaymentMethodId": 20,
        "PaymentMethodCode": "vm",
        "PaymentMethodEn": "Direct",
        "PaymentMethodAr": "مباشر",
        "fee": "0",
    },
)
_PLACES = {"KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3}


def signed(text: str, secret: str = WEBHOOK_SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


class MyFatoorahFake(Desk):
    """The account. It tells what happens by version 2, or by the one in `version`. `names_refunds`: does it tell our names?"""

    def __init__(self, *, version: str = "v2", names_refunds: bool = True) -> None:
        super().__init__()
        self.version, self.names_refunds = version, names_refunds
        self.invoices: dict[int, Thing] = {}
        self.refunds: dict[int, Thing] = {}
        self._payment_of: dict[int, str | None] = {}
        self.recurring: dict[str, Thing] = {}
        self._numbers = itertools.count(5_000_001)

    # --- for tests ---

    def pay(self, intent_id: str, *, is_again: bool = False) -> str:
        """Somebody pays an invoice; the payment's id."""
        invoice = self.invoices[int(intent_id)]
        made = self._try(invoice, "Succss")
        invoice["InvoiceStatus"] = "DuplicatePayment" if is_again else "Paid"
        recurring = self.recurring.get(invoice.get("RecurringId") or "")
        if recurring is not None and recurring["RecurringStatus"] == "DRAFT":
            recurring["RecurringStatus"] = "ACTIVE"
        self.tell_payment(invoice, made, "SUCCESS")
        if recurring is not None:
            self.tell_recurring(recurring)
        return str(made["PaymentId"])

    def decline(self, intent_id: str) -> None:
        invoice = self.invoices[int(intent_id)]
        self.tell_payment(invoice, self._try(invoice, "Failed", ErrorCode="MF002", Error=PRIVATE), "FAILED")

    def refund_outside(self, intent_id: str, *, amount: str | None = None, payment_id: str | None = None) -> str:
        """Somebody pays back at MyFatoorah's own desk; of an invoice that was paid twice one of the payments."""
        invoice = self.invoices[int(intent_id)]
        refund = self._refund(invoice, amount or str(invoice["InvoiceValue"]), None, payment_id)
        self.finish_refund(str(refund["RefundId"]))
        return str(refund["RefundId"])

    def finish_refund(self, refund_id: str, status: str = "Refunded") -> None:
        """Its staff looked at a refund."""
        row = self.refunds[int(refund_id)]
        row["RefundStatus"] = status
        told = {"Id": row["RefundId"], "Status": status.upper()}
        base, invoice = str(row["Amount"]), row["InvoiceId"]
        text = f"Refund.Id={told['Id']},Refund.Status={told['Status']},Amount.ValueInBaseCurrency={base},ReferencedInvoice.Id={invoice}"
        data = {"Refund": told, "Amount": {"ValueInBaseCurrency": base}, "ReferencedInvoice": {"Id": str(invoice)}}
        self._tell_v2("REFUND_STATUS_CHANGED", data, text)

    def dispute(self, intent_id: str, status: str = "OPENED", *, payment_id: str | None = None) -> None:
        """A bank takes a payment back (unless said, that which came last); nobody can read that here."""
        invoice = self.invoices[int(intent_id)]
        payment_id = payment_id or invoice["InvoiceTransactions"][-1]["PaymentId"]
        key = invoice["CustomerReference"]
        text = (
            f"Dispute.DisputeTransactionId=D{intent_id},Dispute.Status={status},Invoice.Id={intent_id},Invoice.Status=PAID,"
            f"Transaction.Status=SUCCESS,Transaction.PaymentId={payment_id},Invoice.ExternalIdentifier={key}"
        )
        data = {
            "Dispute": {"DisputeTransactionId": f"D{intent_id}", "Status": status},
            "Invoice": {"Id": intent_id, "Status": "PAID", "ExternalIdentifier": key},
            "Transaction": {"Status": "SUCCESS", "PaymentId": payment_id},
        }
        self._tell_v2("DISPUTE_STATUS_CHANGED", data, text)

    def elsewhere(self, reference: str | None, amount: str) -> Thing:
        """Another shop of the same account writes an invoice."""
        number = next(self._numbers)
        price: Thing = {"InvoiceValue": float(amount), "InvoiceDisplayValue": f"{amount} KWD"}
        made = {**_open(number), **price, "CustomerReference": reference, "UserDefinedField": "", "RecurringId": None}
        self.invoices[number] = made
        return made

    def renew(self, recurring_id: str, *, is_paid: bool = True) -> str:
        """The next amount is drawn, or is not; the invoice's number."""
        row = self.recurring[recurring_id]
        first = self.invoices[row["RecurringInvoices"][0]["InvoiceId"]]
        kept = ("CustomerReference", "InvoiceValue", "InvoiceDisplayValue", "RecurringId", "UserDefinedField")
        number = next(self._numbers)
        self.invoices[number] = {name: first[name] for name in kept} | _open(number)
        row["RecurringInvoices"].append({"InvoiceId": number})
        if is_paid:
            due = datetime.fromisoformat(row["NextPayDate"])
            row |= {"LastPayDate": row["NextPayDate"], "NextPayDate": (due + timedelta(days=30)).isoformat()}
            self.pay(str(number))
        else:
            row["RecurringStatus"] = "UNCOMPLETED"
            self.decline(str(number))
            self.tell_recurring(row)
        return str(number)

    def tell_payment(self, invoice: Thing, made: Thing, status: str, *, secret: str = WEBHOOK_SECRET) -> Word:
        """A webhook about a payment, signed."""
        number, key, payment_id = str(invoice["InvoiceId"]), invoice["CustomerReference"], str(made["PaymentId"])
        if self.version == "v1":
            data = {
                "InvoiceId": int(number),
                "TransactionStatus": status,
                "CustomerReference": key,
                "PaymentId": payment_id,
                "CustomerName": "طالب",
                "InvoiceValueInBaseCurrency": "2.500",
                "CustomerEmail": None,
            }
            names = sorted(data, key=str.lower)
            text = ",".join(f"{name}={'' if data[name] is None else data[name]}" for name in names)
            body = json.dumps({"EventType": 1, "Event": "TransactionsStatusChanged", "Data": data}).encode()
            return self._keep(body, text, "v1", secret)
        paid = "PAID" if invoice["InvoiceStatus"] != "Pending" else "PENDING"
        text = (
            f"Invoice.Id={number},Invoice.Status={paid},Transaction.Status={status},"
            f"Transaction.PaymentId={payment_id},Invoice.ExternalIdentifier={key or ''}"
        )
        data = {
            "Invoice": {"Id": number, "Status": paid, "ExternalIdentifier": key},
            "Transaction": {"Status": status, "PaymentId": payment_id},
            "Customer": {"Email": PRIVATE},
        }
        return self._tell_v2("PAYMENT_STATUS_CHANGED", data, text, secret=secret)

    def tell_recurring(self, row: Thing) -> Word:
        """A webhook about what is drawn, signed: the same text every month."""
        first = row["RecurringInvoices"][0]["InvoiceId"]
        told = {"Id": row["RecurringId"], "Status": row["RecurringStatus"], "InitialInvoiceId": first}
        text = f"Recurring.Id={told['Id']},Recurring.Status={told['Status']},Recurring.InitialInvoiceId={first}"
        return self._tell_v2("RECURRING_UPDATES", {"Recurring": told}, text)

    # --- what it does ---

    def carry_out(self, asked: Asked) -> Any:
        if asked.headers.get("authorization") != f"Bearer {API_KEY}":
            raise No(401, {"Message": "Authorization has been denied for this request."})
        answer = _ROUTES.get((asked.method, asked.path.removeprefix("/v2/")))
        if answer is None:
            raise No(404, {"Message": "No HTTP resource was found"})
        return {"IsSuccess": True, "Message": "", "ValidationErrors": None, "Data": answer(self, asked)}

    def error_within(self) -> Any:
        fault = {"Name": "InvoiceValue", "Error": f"not for {PRIVATE}"}
        return {"IsSuccess": False, "Message": "Invalid data", "ValidationErrors": [fault], "Data": None}

    def _methods(self, asked: Asked) -> Thing:
        price, currency = Decimal(str(asked.body["InvoiceAmount"])), asked.body["CurrencyIso"]
        rows = [
            {
                **{name: value for name, value in row.items() if name != "fee"},
                "TotalAmount": float(price + Decimal(row["fee"])),
                "ServiceCharge": float(row["fee"]),
                "CurrencyIso": currency,
                "IsDirectPayment": row["PaymentMethodId"] == 20,
            }
            for row in _METHODS
        ]
        return {"PaymentMethods": rows}

    def _invoice(self, asked: Asked) -> Thing:
        told, price = asked.body, Decimal(str(asked.body["InvoiceValue"]))
        if sum(Decimal(str(item["UnitPrice"])) * item["Quantity"] for item in told["InvoiceItems"]) != price:
            raise _refusal("InvoiceItems", "Sum of items must equal the value")
        if not told["CustomerName"].replace(" ", "").isalnum() or "localhost" in told["CallBackUrl"]:
            raise _refusal("CustomerName", f"Not {told['CustomerName']}")
        number, currency = next(self._numbers), told["DisplayCurrencyIso"]
        invoice = {
            **_open(number),
            "CustomerReference": told["CustomerReference"],
            "InvoiceValue": float(price),
            "InvoiceDisplayValue": f"{price:,.{_PLACES.get(currency, 2)}f} {currency}",
            "UserDefinedField": told["UserDefinedField"],
            "ExpiryDate": told["ExpiryDate"],
            "CustomerEmail": told["CustomerEmail"],
            "RecurringId": None,
        }
        self.invoices[number] = invoice
        return invoice

    def _send(self, asked: Asked) -> Thing:
        assert asked.body["NotificationOption"] == "LNK"
        number = self._invoice(asked)["InvoiceId"]
        return {"InvoiceId": number, "InvoiceURL": f"{self.address}/pay/{number}"}

    def _execute(self, asked: Asked) -> Thing:
        if asked.body["PaymentMethodId"] not in {1, 2}:
            raise _refusal("PaymentMethodId", "Not this one")
        invoice = self._invoice(asked)
        if asked.body.get("RecurringModel"):
            invoice["RecurringId"] = f"RECUR{next(self._numbers)}"
            self.recurring[invoice["RecurringId"]] = {
                "RecurringId": invoice["RecurringId"],
                "RecurringStatus": "DRAFT",
                "CreationDate": "2030-01-01T00:00:00",
                "RecurringValue": invoice["InvoiceValue"],
                "RecurringType": asked.body["RecurringModel"]["RecurringType"],
                "LastPayDate": None,
                "NextPayDate": "2030-02-01T03:00:00",
                "RecurringInvoices": [{"InvoiceId": invoice["InvoiceId"]}],
            }
        number = invoice["InvoiceId"]
        return {
            "InvoiceId": number,
            "IsDirectPayment": False,
            "PaymentURL": f"{self.address}/pay/{number}",
            "CustomerReference": invoice["CustomerReference"],
            "RecurringId": invoice["RecurringId"],
        }

    def _try(self, invoice: Thing, status: str, **facts: Any) -> Thing:
        number = next(self._numbers)
        made = {
            "PaymentId": f"0706{number}",
            "TransactionId": str(number),
            "TransactionStatus": status,
            "TransationValue": str(invoice["InvoiceValue"]),
            "PaymentGateway": "KNET",
            "TransactionDate": "2026-08-14T12:00:00.5266667",
            **facts,
        }
        invoice["InvoiceTransactions"].append(made)
        return made

    def _status(self, asked: Asked) -> Thing:
        name = {"InvoiceId": "InvoiceId", "CustomerReference": "CustomerReference"}[asked.body["KeyType"]]
        found = [one for one in self.invoices.values() if str(one[name]) == str(asked.body["Key"])]
        if not found:
            raise _refusal("Key", "No data match the provided value!")
        return found[-1]

    def _refund(self, invoice: Thing, amount: str, name: str | None, payment_id: str | None = None) -> Thing:
        """Which payment it is of is known to its staff alone."""
        standing = [
            one
            for number, one in self.refunds.items()
            if one["InvoiceId"] == invoice["InvoiceId"] and payment_id in {None, self._payment_of.get(number)}
        ]
        left = Decimal(str(invoice["InvoiceValue"])) - sum(
            (Decimal(one["Amount"]) for one in standing if one["RefundStatus"] != "Canceled"), Decimal(0)
        )
        may_be = {"Paid"} if payment_id is None else {"Paid", "DuplicatePayment"}
        if invoice["InvoiceStatus"] not in may_be or not 0 < Decimal(amount) <= left:
            raise _refusal("Amount", "More than is left")
        number = next(self._numbers)
        row: Thing = {"RefundId": number, "RefundReference": f"2026{number}", "RefundStatus": "Pending"}
        self.refunds[number] = {**row, "InvoiceId": invoice["InvoiceId"], "Amount": amount}
        self._payment_of[number] = payment_id
        if self.names_refunds and name is not None:
            self.refunds[number]["ExternalIdentifier"] = name
        return self.refunds[number]

    def _make_refund(self, asked: Asked) -> Thing:
        key, name = str(asked.body["Key"]), asked.body["ExternalIdentifier"]
        payment_id = key if asked.body["KeyType"] == "PaymentId" else None
        invoice = self._paid_by(key) if payment_id else self.invoices[int(key)]
        row = self._refund(invoice, str(asked.body["Amount"]), name, payment_id)
        return {"RefundId": row["RefundId"], "RefundReference": row["RefundReference"], "Amount": float(row["Amount"])}

    def _paid_by(self, payment_id: str) -> Thing:
        for invoice in self.invoices.values():
            if any(one["PaymentId"] == payment_id for one in invoice["InvoiceTransactions"]):
                return invoice
        raise _refusal("Key", "No data match the provided value!")

    def _refunds_of(self, asked: Asked) -> Thing:
        rows = [one for one in self.refunds.values() if str(one["InvoiceId"]) == str(asked.body["Key"])]
        if not rows:
            raise _refusal("Key", "No refund found")
        return {"RefundStatusResult": [{**one, "Amount": float(one["Amount"])} for one in rows]}

    def _end(self, asked: Asked) -> bool:
        row = self.recurring[asked.query["recurringId"]]
        row["RecurringStatus"] = "CANCELED"
        self.tell_recurring(row)
        return True

    def _tell_v2(self, name: str, data: Thing, text: str, *, secret: str = WEBHOOK_SECRET) -> Word:
        code = {"PAYMENT_STATUS_CHANGED": 1, "REFUND_STATUS_CHANGED": 2, "RECURRING_UPDATES": 5}.get(name, 6)
        event = {"Code": code, "Name": name, "Reference": f"WH-{next(self._numbers)}"}
        return self._keep(json.dumps({"Event": event, "Data": data}).encode(), text, "v2", secret)

    def _keep(self, body: bytes, text: str, version: str, secret: str) -> Word:
        heads = {"MyFatoorah-Signature": signed(text, secret), "myfatoorah-webhook-version": version}
        self._words.append(Word(heads, {}, body))
        return self._words[-1]


def _open(number: int) -> Thing:
    return {"InvoiceId": number, "InvoiceStatus": "Pending", "InvoiceTransactions": []}


def _refusal(name: str, words: str) -> No:
    fault = {"Name": name, "Error": f"{words} ({PRIVATE})"}
    return No(400, {"IsSuccess": False, "Message": "Invalid data", "ValidationErrors": [fault], "Data": None})


_ROUTES: dict[tuple[str, str], Callable[..., Any]] = {
    ("POST", "InitiatePayment"): MyFatoorahFake._methods,
    ("POST", "SendPayment"): MyFatoorahFake._send,
    ("POST", "ExecutePayment"): MyFatoorahFake._execute,
    ("POST", "GetPaymentStatus"): MyFatoorahFake._status,
    ("POST", "MakeRefund"): MyFatoorahFake._make_refund,
    ("POST", "GetRefundStatus"): MyFatoorahFake._refunds_of,
    ("GET", "GetRecurringPayment"): lambda fake, _: {"RecurringPayment": list(fake.recurring.values())},
    ("POST", "CancelRecurringPayment"): MyFatoorahFake._end,
}


@asynccontextmanager
async def myfatoorah_running(**options: Any) -> AsyncIterator[MyFatoorahFake]:
    """It answers at a free port of 127.0.0.1 while the body runs."""
    async with answering(MyFatoorahFake(**options)) as fake:
        yield fake
