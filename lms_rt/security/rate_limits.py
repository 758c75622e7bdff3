"""How often anybody may ask: the classes of requests, whom each counts for, and from where nobody is counted.

A request is of one class. A class is a bucket on the bus for each asker, so that all nodes count together; while the bus is
away each counts for itself. What an asker's address is called there is a keyed hash: no address lies in Redis.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from config.settings import Settings
from lms_rt.bus.limits import Allowance, RateLimits
from lms_rt.security.keyring import Keyring

PAGES_FOR_A_CLASS = 6
"""So many times the general limit may strangers at one address open pages: a class sits behind one."""
PIECES_OF_AN_UPLOAD = 20
"""So many pieces belong to an upload: 100 MiB as the page sends them. They cost nothing of what else may be asked."""
VERIFICATIONS_PER_MINUTE = 30
"""So many certificates may be checked from one address, by REST and pages together: their numbers are in a row."""
TOLD_APART = 10
"""So many times a class may those at one address ask together who are counted apart by what they bring along: the mark of a
browser, the token of a session that has ended. Whoever collects such things has no more than a school behind one address.
A session that holds is counted by itself alone: there are only so many of a person, and its neighbours must not end it."""
REFUSED_WORDS_PER_MINUTE = 30
"""So many words of gateways may be refused that come from one address. A true one is never counted, nor turned away by them."""
_IPV6_NETWORK = 64
"""Bits of an IPv6 address that tell one household from another: the rest is its own to choose."""


class LimitClass(StrEnum):
    """What kind of request it is."""

    GENERAL = "general"
    AUTH = "auth"
    SIGN_IN = "sign_in"
    FAILED_SIGN_IN = "failed_sign_in"
    ATTEMPTS = "attempts"
    UPLOADS = "uploads"
    PIECES = "upload_pieces"
    PAGES = "pages"
    VERIFICATION = "verification"
    REFUSED_WORDS = "refused_words"


UNLIMITED = "none"
"""What a row says that is not counted at all."""


@dataclass(frozen=True, slots=True)
class Quota:
    """So many within so many seconds."""

    limit: int
    seconds: int

    @property
    def per_second(self) -> float:
        """How fast a bucket refills."""
        return self.limit / self.seconds


@dataclass(frozen=True, slots=True)
class Charge:
    """What came of counting a request."""

    limit_class: LimitClass
    quota: Quota
    allowance: Allowance

    @property
    def full_in_seconds(self) -> int:
        """Until everything may be asked again."""
        gone = self.quota.limit - self.allowance.remaining
        return -(-gone * self.quota.seconds // self.quota.limit)

    @property
    def retry_after_seconds(self) -> int:
        """Until one more may be asked."""
        return max(1, -(-self.allowance.retry_after_ms // 1000))


class RateLimiter:
    """Counts requests by class and asker. Settings are read at each use: administrators may change them meanwhile."""

    def __init__(self, *, settings: Settings, rate_limits: RateLimits, keyring: Keyring) -> None:
        self._settings, self._rate_limits = settings, rate_limits
        self._key = keyring.current.derived("rate limits")

    def is_limited(self, address: str) -> bool:
        """Is anything counted that comes from there?"""
        settings = self._settings
        return settings.rate_limit_enabled and not _is_within(address, settings.exempt_networks)

    def quota_of(self, limit_class: LimitClass) -> Quota:
        """How much of a class anybody may ask."""
        settings = self._settings
        per_minute = {
            LimitClass.GENERAL: settings.rate_limit_requests_per_minute,
            LimitClass.AUTH: settings.rate_limit_auth_per_minute,
            LimitClass.SIGN_IN: settings.rate_limit_sign_ins_per_minute,
            LimitClass.FAILED_SIGN_IN: settings.rate_limit_login_per_minute,
            LimitClass.ATTEMPTS: settings.rate_limit_attempts_per_minute,
            LimitClass.PAGES: settings.rate_limit_requests_per_minute * PAGES_FOR_A_CLASS,
            LimitClass.VERIFICATION: VERIFICATIONS_PER_MINUTE,
            LimitClass.REFUSED_WORDS: REFUSED_WORDS_PER_MINUTE,
        }
        if limit_class is LimitClass.UPLOADS:
            return Quota(settings.rate_limit_uploads_per_hour, 3600)
        if limit_class is LimitClass.PIECES:
            return Quota(settings.rate_limit_uploads_per_hour * PIECES_OF_AN_UPLOAD, 3600)
        return Quota(per_minute[limit_class], 60)

    def name_of(self, kind: str, who: str) -> str:
        """What somebody is called in keys of the bus: the same everywhere, and nothing that tells who it is."""
        return f"{kind}:{hmac.digest(self._key, who.encode('utf-8', 'surrogatepass'), 'sha256').hex()[:24]}"

    def name_of_address(self, address: str) -> str:
        """The same of an address: all of a household have one name."""
        return self.name_of("address", network_of(address))

    async def charge(self, limit_class: LimitClass, asker: str, *, times: int = 1) -> Charge:
        """Count one request more of this asker (a name, or a person's id), who may ask so many times the limit."""
        quota = self.quota_of(limit_class)
        quota = Quota(quota.limit * times, quota.seconds)
        key = f"{limit_class.value}:{asker}"
        allowance = await self._rate_limits.take(key, per_second=quota.per_second, burst=quota.limit)
        return Charge(limit_class, quota, allowance)

    async def give_back(self, limit_class: LimitClass, asker: str) -> None:
        """It was none after all."""
        quota = self.quota_of(limit_class)
        await self._rate_limits.give_back(f"{limit_class.value}:{asker}", per_second=quota.per_second)


@lru_cache(maxsize=4096)
def network_of(address: str) -> str:
    """By what an address is counted: itself, or the network of an IPv6 household."""
    parsed = _parsed(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed, _IPV6_NETWORK), strict=False))
    return address if parsed is None else str(parsed)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """The address; an IPv4 one that is written as IPv6 is IPv4. None: it is none (a socket of this machine)."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    return (parsed.ipv4_mapped or parsed) if isinstance(parsed, IPv6Address) else parsed


@lru_cache(maxsize=4096)
def _is_within(address: str, networks: tuple[str, ...]) -> bool:
    parsed = _parsed(address)
    return parsed is not None and any(parsed in network for network in _networks(networks))


@lru_cache(maxsize=16)
def _networks(words: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(word, strict=False) for word in words)
