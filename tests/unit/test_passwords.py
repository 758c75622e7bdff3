"""How passwords are hashed, and which are refused."""

from __future__ import annotations

import asyncio
import base64
import hmac
import threading

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lms_rt.errors import Code, Refused
from lms_rt.security.password_rules import check_password
from lms_rt.security.passwords import HashingPool, PasswordHasher, Share

PEPPER = "pepper-of-the-tests"


def hasher(*, pepper: str = PEPPER, cost: int = 4) -> PasswordHasher:
    return PasswordHasher(pepper=pepper, cost=cost, pool=HashingPool())


async def test_a_hash_is_bcrypt_over_the_peppered_digest() -> None:
    stored = await hasher().hash("grüner Tee")
    scheme, _, hashed = stored.partition("$")[0], *stored.split("$", 2)[1:]
    digest = base64.b64encode(hmac.digest(PEPPER.encode(), "grüner Tee".encode(), "sha384"))
    assert scheme == "bcrypt-hs384-1"
    assert bcrypt.checkpw(digest, hashed.encode())


async def test_the_right_password_is_right_and_others_are_not() -> None:
    passwords = hasher()
    stored = await passwords.hash("sesam öffne dich")
    assert await passwords.is_right("sesam öffne dich", stored)
    assert not await passwords.is_right("Sesam öffne dich", stored)
    assert not await passwords.is_right("", stored)


async def test_the_same_password_in_another_unicode_form_is_right() -> None:
    passwords = hasher()
    stored = await passwords.hash("Ame\u0301lie-\ufb01n-2031")  # decomposed é, ligature fi
    assert await passwords.is_right("Am\u00e9lie-fin-2031", stored)


@pytest.mark.parametrize("length", [71, 72, 73, 128, 500])
async def test_every_character_of_a_long_password_counts(length: int) -> None:
    passwords = hasher()
    stored = await passwords.hash("ش" * length + "a")
    assert not await passwords.is_right("ش" * length + "b", stored)


async def test_nul_and_lone_surrogates_do_not_break_it() -> None:
    passwords = hasher()
    stored = await passwords.hash("a\x00b\ud800")
    assert await passwords.is_right("a\x00b\ud800", stored)
    assert not await passwords.is_right("a\x00c\ud800", stored)


async def test_nobody_has_a_password_yet_bcrypt_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[bytes] = []
    real = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        checked.append(hashed)
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    passwords = hasher(cost=5)
    assert not await passwords.is_right("anything", None)
    assert checked[0].startswith(b"$2b$05$")  # as costly as a real one


async def test_a_hash_under_another_pepper_is_wrong() -> None:
    stored = await hasher(pepper="another").hash("the password")
    assert not await hasher().is_right("the password", stored)


async def test_a_hash_of_another_cost_is_outdated() -> None:
    stored = await hasher(cost=4).hash("the password")
    assert not hasher(cost=4).is_outdated(stored)
    assert hasher(cost=5).is_outdated(stored)
    assert await hasher(cost=5).is_right("the password", stored)


@pytest.mark.parametrize("cost", [4, 5, 6])
async def test_a_wrong_password_takes_the_same_rounds_whatever_it_was_hashed_with(
    monkeypatch: pytest.MonkeyPatch, cost: int
) -> None:
    """Else the time would tell who has not signed in since the cost was raised."""
    stored, rounds, real = await hasher(cost=cost).hash("the password"), [], bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        rounds.append(2 ** int(hashed[4:6]))
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    assert not await hasher(cost=6).is_right("another", stored)
    assert sum(rounds) == 2**6
    rounds.clear()
    assert not await hasher(cost=6).is_right("another", None)
    assert sum(rounds) == 2**6


async def test_nothing_is_tried_between_the_question_at_its_turn_and_the_hashing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passwords, seen, real = hasher(), list[str](), bcrypt.checkpw
    stored = await passwords.hash("the password")

    def checkpw(password: bytes, hashed: bytes) -> bool:
        seen.append("tried")
        return real(password, hashed)

    async def ask() -> None:
        seen.append("asked")
        await asyncio.sleep(0)
        if len(seen) > 4:
            raise Refused(Code.RATE_LIMITED)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    tries = (passwords.is_right("another", stored, at_turn=ask) for _ in range(5))
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert seen == ["asked", "tried", "asked", "tried", "asked", "asked", "asked"]
    assert [answer if answer is False else type(answer) for answer in answers] == [False, False, *[Refused] * 3]
    assert await passwords.is_right("the password", stored)  # who was refused gave his turn back


async def test_of_one_asker_only_so_many_wait() -> None:
    release = threading.Event()
    pool = HashingPool(threads=1, max_waiting=10, max_waiting_each=2)

    async def ask(asker: str) -> bool:
        async with pool.turn(Share(asker)):
            return await pool.work(lambda: release.wait(10))

    crowd = [asyncio.create_task(ask("one")) for _ in range(5)]
    await asyncio.sleep(0)
    other = asyncio.create_task(ask("another"))
    await asyncio.sleep(0)
    release.set()
    answers = await asyncio.gather(*crowd, return_exceptions=True)
    assert [isinstance(answer, Refused) for answer in answers] == [False, False, False, True, True]
    assert await other
    assert await ask("one")
    pool.close()


async def test_who_counts_with_others_waits_by_the_smallest_share() -> None:
    release = threading.Event()
    pool = HashingPool(threads=1, max_waiting=10, max_waiting_each=8)

    async def ask(*shares: Share) -> bool:
        async with pool.turn(*shares):
            return await pool.work(lambda: release.wait(10))

    house = Share("house", 4)
    crowd = [asyncio.create_task(ask(Share("one", 2), house)) for _ in range(5)]
    crowd += [asyncio.create_task(ask(Share("another"), house)) for _ in range(4)]
    crowd += [asyncio.create_task(ask())]
    await asyncio.sleep(0)
    release.set()
    answers = await asyncio.gather(*crowd, return_exceptions=True)
    refused = [isinstance(answer, Refused) for answer in answers]
    assert refused == [*[False] * 3, *[True] * 2, *[False] * 2, *[True] * 2, False]
    assert pool._by_asker == {}
    pool.close()


async def test_who_registers_leaves_places_for_who_signs_in() -> None:
    pool = HashingPool(max_waiting=8, max_waiting_each=2)
    passwords = PasswordHasher(pepper="p" * 32, cost=4, pool=pool)
    stored = await passwords.hash("the password")
    crowd = asyncio.gather(*(passwords.hash(f"new password {n}") for n in range(20)), return_exceptions=True)
    await asyncio.sleep(0)
    assert await passwords.is_right("the password", stored)
    assert [isinstance(answer, Refused) for answer in await crowd].count(True) == 17
    pool.close()


async def test_a_full_pool_refuses_at_once_and_recovers() -> None:
    release, started = threading.Event(), threading.Event()

    def block() -> None:
        started.set()
        release.wait(10)

    pool = HashingPool(threads=1, max_waiting=2)
    tasks = [asyncio.create_task(pool.run(block)) for _ in range(3)]
    try:
        await asyncio.to_thread(started.wait, 10)
        with pytest.raises(Refused) as refused:
            await pool.run(block)
        assert refused.value.code is Code.BUSY
        assert refused.value.data["retry_after_seconds"] >= 1
    finally:
        release.set()
    await asyncio.gather(*tasks)
    assert await pool.run(lambda: "again") == "again"
    pool.close()


async def test_who_gives_up_waiting_makes_room() -> None:
    release = threading.Event()
    pool = HashingPool(threads=1, max_waiting=1)
    running = asyncio.create_task(pool.run(lambda: release.wait(10)))
    waiting = asyncio.create_task(pool.run(lambda: True))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    next_one = asyncio.create_task(pool.run(lambda: "in"))
    await asyncio.sleep(0)
    release.set()
    assert await next_one == "in"
    await running
    pool.close()


# --- rules ---

OWN = ("Layla Haddad", "layla.h@greenfield.edu", "layla.h", "lms_rt")


def refusal(password: str, min_length: int = 8) -> str | None:
    try:
        check_password(password, min_length=min_length, own=OWN)
    except Refused as refused:
        return refused.fields[0].code
    return None


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("a1b2c3d", "too_short"),
        ("é" * 4, "too_short"),
        ("correct horse " * 10, "too_long"),
        ("password1", "too_common"),
        ("P@ssw0rd!", "too_common"),
        ("12345678", "too_common"),
        ("87654321", "too_common"),
        ("qwertyuiop", "too_common"),
        ("abcd1234", "too_common"),
        ("aaaaaaaaaa", "too_common"),
        ("abcabcabcabc", "too_common"),
        ("!!!!!!!!!!", "too_common"),
        ("letmein2031", "too_common"),
        ("rush2112", "too_common"),
        ("Chelsea!!2019", "too_common"),
        ("2031 Barc3l0na", "too_common"),
        ("n.c.c.1701e", "too_common"),
        ("Michael@1977", "too_common"),
        ("LaylaHaddad", "own_name"),
        ("haddad-2031", "own_name"),
        ("Làyla.Hàddad!", "own_name"),
        ("layla.h@greenfield.edu", "own_name"),
        ("lms_rt-2031", "own_name"),
    ],
)
def test_refused_passwords(password: str, code: str) -> None:
    assert refusal(password) == code


@pytest.mark.parametrize(
    "password",
    [
        "demo-school-1",
        "grüner Tee",
        "tr0ub4dor&3",
        "شاي أخضر بارد",
        "layla likes rain",
        "x" * 3 + "-pqzm-41",
        "😀🐘🌵🚲🎻🧩🪁🧲",
    ],
)
def test_taken_passwords(password: str) -> None:
    assert refusal(password) is None


def test_staff_need_more_characters() -> None:
    assert refusal("eleven-char", min_length=12) == "too_short"
    assert refusal("twelve-chars", min_length=12) is None


@given(st.text(max_size=300))
@settings(max_examples=200)
def test_any_text_is_either_taken_or_refused(text: str) -> None:
    assert refusal(text) in {None, "too_short", "too_long", "too_common", "own_name"}
