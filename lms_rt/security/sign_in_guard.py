"""Who may still guess a password or a code: failures are counted by account and place, and by address.

Each guess is counted before it is tried and forgiven when it was right, so that of many at once no more pass than may fail.
A place is the address, or the browser that this account has signed in with before (`devices.py`): whoever guesses from
elsewhere locks himself out, and never the owner. Accounts that do not exist are counted and locked alike.
"""

from __future__ import annotations

import asyncio
import itertools
import unicodedata
from dataclasses import dataclass, field

from config.settings import Settings
from lms_rt.bus.limits import RateLimits
from lms_rt.errors import Code, Refused
from lms_rt.security.devices import DeviceMarks
from lms_rt.security.passwords import STRANGERS, Share
from lms_rt.security.rate_limits import LimitClass, Quota, RateLimiter
from lms_rt.security.sessions import Device

FROM_ANYWHERE = Quota(100, 3600)
"""So often may unknown browsers fail with one account, all of them together: what many addresses take turns at ends here.

Browsers that the account knows are not counted here, and a new password set by mail begins anew.
"""
_LONGEST_TEXT = 512
_OF_AN_ACCOUNT = 4
"""So many wait to be hashed at once of one account, whichever of the browsers that it knows they come from."""
_OF_AN_ADDRESS = 52
"""So many of one address, browsers that are known included: more than of strangers there, and fewer than there are."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who says to be somebody: the account as it was named, its id if there is one, and where it is tried from.

    `since_ms` is when its failures were forgiven last; those from before count no more. Browsers are known that have signed
    in since `marks_since_ms`.
    """

    account: str
    device: Device
    user_id: str = ""
    since_ms: int = 0
    marks_since_ms: int = 0


def account_text(typed: str) -> str:
    """What an address that is none is counted by."""
    return unicodedata.normalize("NFKC", typed[:_LONGEST_TEXT]).casefold().strip()


@dataclass(frozen=True, slots=True)
class _Place:
    """The names by which a candidate is counted."""

    group: str
    """The account at this step, wherever it is tried."""
    where: str
    account: str
    address: str
    is_known: bool

    @property
    def pair(self) -> str:
        """The account at this step and this place."""
        return f"{self.group}:{self.where}"


@dataclass(frozen=True, slots=True)
class Locked:
    """How an account stands: how long it is locked in each place where it is, in ms, the longest first.

    `shut_ms` is how long browsers that it does not know have to wait anywhere, since too many guess from too many places.
    """

    left_ms: tuple[int, ...] = ()
    shut_ms: int = 0


@dataclass(slots=True)
class Admission:
    """A guess that is counted as a failure until it is said to be right."""

    guard: SignInGuard
    pair: str
    group: str
    """With what the lock that it may become is noted."""
    locks_by_failing: bool
    is_here: bool = False
    """Was it counted by this node alone, since the bus was away? Then it is taken back here."""
    taken: list[tuple[str, Quota, bool]] = field(default_factory=list)
    """From which buckets one was taken, and whether here."""
    owed: list[tuple[str, Quota]] = field(default_factory=list)
    """What a failure takes only when it has happened."""

    async def succeeded(self) -> None:
        """It was right: what was counted here is forgotten, and what was taken comes back."""
        await self.guard.forgive(self)

    async def undone(self) -> None:
        """Nobody found out: it counts as if it had not been tried, and what failed before goes on counting."""
        await self.guard.take_back(self)

    async def failed(self) -> None:
        """It was wrong. Needed after a code; a wrong password has been counted in full."""
        await self.guard.collect(self)


class SignInGuard:
    """Counts guesses, and refuses those that are too many."""

    def __init__(
        self, *, settings: Settings, rate_limits: RateLimits, limiter: RateLimiter, marks: DeviceMarks
    ) -> None:
        self._settings, self._rate_limits = settings, rate_limits
        self.limiter, self.marks = limiter, marks

    @property
    def lock_minutes(self) -> int:
        """So long a lock lasts."""
        return self._settings.sign_in_lock_minutes

    def shares_of(self, candidate: Candidate) -> list[Share]:
        """Whose places in the queue for hashing are taken. A right password is never locked: by these it is bounded.

        Strangers are not counted with the account, or they would keep its owner out.
        """
        place = self._place(candidate, "password")
        of_address = Share(f"all:{place.address}", _OF_AN_ADDRESS)
        if place.is_known:
            return [Share(f"known:{place.account}", _OF_AN_ACCOUNT), of_address]
        return [Share(f"unknown:{place.address}"), of_address, STRANGERS]

    def shares_before(self, device: Device) -> list[Share]:
        """The shares in which there has to be a place before it is looked up who it is: none, for a browser with a mark of ours."""
        return [] if self.marks.find_device(device.mark) is not None else [STRANGERS]

    def knows(self, user_id: str, device: Device, *, since_ms: int) -> bool:
        """Has this account signed in with this browser since then?"""
        return self.marks.find_known_device(device.mark, user_id, since_ms=since_ms) is not None

    async def admit(self, candidate: Candidate) -> Admission:
        """A password is tried. Refused when too many were wrong: of this account here, or from this address at all."""
        place = self._place(candidate, "password")
        admission = Admission(self, place.pair, place.group, locks_by_failing=False)
        for bucket in self._address_buckets(candidate, place):
            await self._take(admission, *bucket, Code.RATE_LIMITED)
        if not place.is_known:
            await self._take(admission, f"guesses:{place.account}", FROM_ANYWHERE, Code.ACCOUNT_LOCKED)
        return await self._strike(admission)

    async def admit_code(self, candidate: Candidate) -> Admission:
        """A code is tried after the password was right: counted over all challenges, wherever they are from.

        A browser that the account knows is counted apart here too. Codes are not tried one after the other as passwords
        are, so of the address it is only looked whether something is left: else thirty right ones at once would use it up.
        """
        place = self._place(candidate, "code")
        admission = Admission(
            self, place.pair, place.group, locks_by_failing=False, owed=self._address_buckets(candidate, place)
        )
        for name, quota in admission.owed:
            left = await self._rate_limits.take(name, per_second=quota.per_second, burst=quota.limit, cost=0)
            if left.remaining < 1:
                raise _refused(Code.RATE_LIMITED, round(1000 / quota.per_second))
        return await self._strike(admission)

    async def collect(self, admission: Admission) -> None:
        """Take what a failure owes."""
        while admission.owed:
            name, quota = admission.owed.pop()
            await self._rate_limits.take(name, per_second=quota.per_second, burst=quota.limit)

    async def forgive(self, admission: Admission) -> None:
        """Give back all that an admission took."""
        await self._rate_limits.pardon(admission.pair)
        if admission.locks_by_failing:
            await self._rate_limits.drop_lock(admission.group, admission.pair)
        await self._give_back(admission)

    async def take_back(self, admission: Admission) -> None:
        """Count this one no more."""
        await self._rate_limits.take_back(admission.pair, is_here=admission.is_here)
        if admission.locks_by_failing:
            await self._rate_limits.drop_lock(admission.group, admission.pair)
        await self._give_back(admission)

    async def find_locked(self, password: Candidate, code: Candidate) -> Locked:
        """Where an account is locked now, for who asks why somebody cannot sign in: for passwords and for codes.

        Where the candidates are is not looked at; they are the account with what each kind of failure counts from.
        """
        tried, limits = self._place(password, "password"), self._rate_limits
        groups = await asyncio.gather(
            *(limits.find_locks(one) for one in (tried.group, self._place(code, "code").group))
        )
        name, quota = f"guesses:{tried.account}", FROM_ANYWHERE
        left = await limits.take(name, per_second=quota.per_second, burst=quota.limit, cost=0)
        shut_ms = 0 if left.remaining else round(1000 / quota.per_second)
        return Locked(tuple(sorted(itertools.chain(*groups), reverse=True)), shut_ms)

    def _address_buckets(self, candidate: Candidate, place: _Place) -> list[tuple[str, Quota]]:
        """Where failures of an address count, whatever accounts they are of: nowhere for browsers that are known."""
        if place.is_known or not self.limiter.is_limited(candidate.device.address):
            return []
        name = f"{LimitClass.FAILED_SIGN_IN.value}:{place.address}"
        return [(name, self.limiter.quota_of(LimitClass.FAILED_SIGN_IN))]

    async def _take(self, admission: Admission, name: str, quota: Quota, code: Code) -> None:
        allowance = await self._rate_limits.take(name, per_second=quota.per_second, burst=quota.limit)
        if not allowance.is_allowed:
            await self._give_back(admission)
            raise _refused(code, allowance.retry_after_ms)
        admission.taken.append((name, quota, allowance.is_here))

    async def _strike(self, admission: Admission) -> Admission:
        settings = self._settings
        strike = await self._rate_limits.strike(
            admission.pair,
            limit=settings.sign_in_lock_failures,
            window_seconds=settings.sign_in_lock_window_minutes * 60,
            lock_seconds=settings.sign_in_lock_minutes * 60,
        )
        if not strike.is_allowed:
            await self._give_back(admission)
            raise _refused(Code.ACCOUNT_LOCKED, strike.locked_ms)
        admission.is_here = strike.is_here
        admission.locks_by_failing = strike.count >= settings.sign_in_lock_failures
        if admission.locks_by_failing:
            seconds = settings.sign_in_lock_minutes * 60
            await self._rate_limits.note_lock(admission.group, admission.pair, seconds=seconds)
        return admission

    async def _give_back(self, admission: Admission) -> None:
        while admission.taken:
            name, quota, is_here = admission.taken.pop()
            await self._rate_limits.give_back(name, per_second=quota.per_second, is_here=is_here)

    def _place(self, candidate: Candidate, step: str) -> _Place:
        account = self.limiter.name_of("account", f"{candidate.account}\x1f{candidate.since_ms}")
        mark, since_ms = candidate.device.mark, candidate.marks_since_ms
        is_anybody = bool(candidate.user_id)
        device = self.marks.find_known_device(mark, candidate.user_id, since_ms=since_ms) if is_anybody else None
        address = self.limiter.name_of_address(candidate.device.address)
        where = self.limiter.name_of("device", device) if device else "" if step == "code" else address
        return _Place(f"{step}:{account}", where, account, address, is_known=device is not None)


def _refused(code: Code, wait_ms: int) -> Refused:
    return Refused(code, retry_after_seconds=max(1, -(-wait_ms // 1000)))
