"""The requests to MyFatoorah's API v2 and the envelope of its answers: whatever does not say that it went well, went wrong.

No meaning of answers (that is `myfatoorah_reading`), no rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

import orjson
from pydantic import SecretStr

from lms_rt.contracts.gateways import GatewayRefused, GatewayUnavailable
from lms_rt.gateways.payments.http import ALL_SECONDS, Answered, GatewayHttp, Request, part, refuse

_ZONES = {
    "api-sa.myfatoorah.com": "Asia/Riyadh",
    "api-ae.myfatoorah.com": "Asia/Dubai",
    "api-qa.myfatoorah.com": "Asia/Qatar",
    "api-eg.myfatoorah.com": "Africa/Cairo",
}
_NO_SUCH = ("no data match", "not found", "no refund", "invalid invoice", "does not exist")
"""Words with which it says that there is nothing; it has no number for it."""


@dataclass(frozen=True, slots=True)
class MyFatoorahAccount:
    """The keys of one account; each country has its own address."""

    base: str
    api_key: SecretStr
    webhook_secret: SecretStr

    @property
    def zone(self) -> ZoneInfo:
        """Where its times without a zone hold; the test account's is Kuwait."""
        return ZoneInfo(_ZONES.get(urlsplit(self.base).hostname or "", "Asia/Kuwait"))


def exactly(value: Decimal) -> orjson.Fragment:
    """A number in JSON as it is written, never by way of a float."""
    return orjson.Fragment(f"{value:f}".encode())


class MyFatoorahCalls:
    """The line to one account. Made on the running loop, and closed with it."""

    def __init__(self, account: MyFatoorahAccount, *, all_seconds: float = ALL_SECONDS) -> None:
        self._account = account
        self._line = GatewayHttp(account.base, all_seconds=all_seconds)

    async def ask(self, name: str, body: Mapping[str, Any], *, is_change: bool = False) -> Any:
        """The data of an answer. Raises `GatewayRefused`, with code not_found where there is nothing."""
        return _data(await self._send("POST", f"v2/{name}", body, is_change=is_change), is_change=is_change)

    async def look(self, name: str) -> Any:
        """The same by GET."""
        return _data(await self._send("GET", f"v2/{name}", None, is_change=False), is_change=False)

    async def end(self, recurring_id: str) -> None:
        """End what is drawn again and again."""
        path = f"v2/CancelRecurringPayment?{urlencode({'recurringId': recurring_id})}"
        _data(await self._send("POST", path, {}, is_change=True), is_change=True)

    async def close(self) -> None:
        """Close what is open."""
        await self._line.close()

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None, *, is_change: bool) -> Answered:
        headers = {"Authorization": f"Bearer {self._account.api_key.get_secret_value()}"}
        return await self._line.ask(Request(method, path, headers, body, is_change=is_change))


def _data(answered: Answered, *, is_change: bool) -> Any:
    if answered.is_ok and part(answered.value, "IsSuccess") is True:
        return answered.value.get("Data")
    if answered.status in {401, 403}:
        refuse(answered)
    if not isinstance(answered.value, dict) or "IsSuccess" not in answered.value:
        if answered.is_ok:
            raise GatewayUnavailable("an answer that says nothing", may_have_happened=is_change)
        refuse(answered)
    raise GatewayRefused(f"status {answered.status}{_fields(answered.value)}", code=_code(answered.value))


def _code(envelope: Mapping[str, Any]) -> str:
    said = " ".join(
        str(words)
        for words in (
            envelope.get("Message"),
            part(envelope, "Data", "ErrorMessage"),
            *(fault.get("Error") for fault in _faults(envelope)),
        )
    ).lower()
    return "not_found" if any(words in said for words in _NO_SUCH) else "refused"


def _fields(envelope: Mapping[str, Any]) -> str:
    """Which fields were complained of; what is said about them may hold what we sent."""
    names = [str(fault.get("Name"))[:40] for fault in _faults(envelope)][:5]
    return "".join(f", {name}" for name in names if name.isascii() and name.replace(".", "").isalnum())


def _faults(envelope: Mapping[str, Any]) -> list[dict[str, Any]]:
    faults = envelope.get("ValidationErrors") or envelope.get("FieldsErrors")
    return [fault for fault in faults if isinstance(fault, dict)] if isinstance(faults, list) else []
