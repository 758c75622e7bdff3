"""Classes of requests: how an address is counted, from where nobody is, how much there is, and of which class a row is."""

from __future__ import annotations

from typing import Any

import pytest

from config.settings import Settings
from handlers.routes import ROUTES
from lms_rt.bus.memory import memory_bus
from lms_rt.clock import FakeClock
from lms_rt.security.keyring import Keyring
from lms_rt.security.rate_limits import LimitClass, Quota, RateLimiter, network_of


def limiter(**settings: Any) -> RateLimiter:
    made = Settings(_env_file=None, **settings)
    return RateLimiter(settings=made, rate_limits=memory_bus(FakeClock()).rate_limits, keyring=Keyring("k" * 32))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0DB8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_a_household_is_one_address(address: str, network: str) -> None:
    assert network_of(address) == network
    assert limiter().name_of_address(address) == limiter().name_of("address", network)


def test_no_address_lies_in_the_keys() -> None:
    name = limiter().name_of_address("203.0.113.9")
    assert "203" not in name.partition(":")[2][:3] or len(name) > 24
    assert "203.0.113.9" not in name
    assert name != limiter().name_of_address("203.0.113.8")


@pytest.mark.parametrize(
    ("settings", "limited"),
    [
        ({}, ["203.0.113.9", "10.1.2.3", ""]),
        (
            {"rate_limit_exempt_networks": "none"},
            ["203.0.113.9", "10.1.2.3", "", "127.0.0.1", "::1", "::ffff:127.0.0.1"],
        ),
        ({"rate_limit_exempt_networks": "10.0.0.0/8"}, ["203.0.113.9", "", "127.0.0.1", "::1", "::ffff:127.0.0.1"]),
        ({"rate_limit_enabled": False, "rate_limit_exempt_networks": "none"}, []),
    ],
)
def test_from_some_networks_nothing_is_counted(settings: dict[str, Any], limited: list[str]) -> None:
    asked = ["203.0.113.9", "10.1.2.3", "", "127.0.0.1", "::1", "::ffff:127.0.0.1"]
    assert [address for address in asked if limiter(**settings).is_limited(address)] == limited


def test_the_quotas_are_the_settings() -> None:
    one = limiter(rate_limit_uploads_per_hour=7, rate_limit_login_per_minute=3)
    assert one.quota_of(LimitClass.UPLOADS) == Quota(7, 3600)
    assert one.quota_of(LimitClass.FAILED_SIGN_IN) == Quota(3, 60)
    default = limiter()
    told = {each: default.quota_of(each).limit for each in LimitClass}
    assert told == {
        LimitClass.GENERAL: 100, LimitClass.AUTH: 60, LimitClass.SIGN_IN: 300, LimitClass.FAILED_SIGN_IN: 10,
        LimitClass.ATTEMPTS: 120, LimitClass.UPLOADS: 100, LimitClass.PAGES: 600,
        LimitClass.VERIFICATION: 30, LimitClass.PIECES: 2000, LimitClass.REFUSED_WORDS: 30,
    }  # fmt: skip


async def test_a_charge_says_what_is_left_and_when_to_come_again() -> None:
    one = limiter(rate_limit_requests_per_minute=2)
    first, second, third = [await one.charge(LimitClass.GENERAL, "usr_1") for _ in range(3)]
    assert (first.allowance.remaining, first.full_in_seconds) == (1, 30)
    assert (second.allowance.remaining, second.full_in_seconds) == (0, 60)
    assert (third.allowance.is_allowed, third.retry_after_seconds) == (False, 30)
    await one.give_back(LimitClass.GENERAL, "usr_1")
    assert (await one.charge(LimitClass.GENERAL, "usr_1")).allowance.is_allowed
    assert (await one.charge(LimitClass.GENERAL, "usr_2")).allowance.remaining == 1


def test_every_row_is_of_the_class_of_its_place() -> None:
    by_class: dict[str, set[str]] = {}
    for row in ROUTES:
        by_class.setdefault(row.counts_as, set()).add(row.path)
    assert by_class["none"] >= {"/health", "/ready"}
    assert all(not path.startswith(("/courses", "/users", "/auth", "/admin")) for path in by_class["none"])
    assert {"/auth/login", "/auth/token", "/auth/login-cookie"} <= by_class["sign_in"]
    assert {"/auth/refresh", "/auth/refresh-cookie", "/auth/logout-cookie"} == by_class["refresh"]
    assert {"/auth/register", "/auth/me", "/auth/ws-ticket"} <= by_class["auth"]
    assert all(path.startswith("/attempts") for path in by_class["attempts"])
    assert by_class["uploads"]
    assert by_class["verification"] == {"/certificates/verify/{certificate_number}"}
    assert {"/courses", "/users/me"} <= by_class["general"]
