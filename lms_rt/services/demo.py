"""The demo school's people. Its courses come from their own service; what they are for is trying things out."""

from __future__ import annotations

from collections.abc import Mapping

from documents.enums import Role
from documents.user import User
from lms_rt.contracts.accounts import DEMO_DOMAIN, find_email_key
from lms_rt.ids import derived_id, random_token
from lms_rt.security.passwords import PasswordHasher
from lms_rt.services.accounts import Accounts, NewAccount

DEMO_PASSWORD = "demo-school-1"  # noqa: S105 - printed at every start, for loopback only
ADMIN_EMAIL = f"admin@{DEMO_DOMAIN}"
TEACHER_EMAIL = f"teacher@{DEMO_DOMAIN}"
STUDENT_EMAILS = tuple(f"student{number}@{DEMO_DOMAIN}" for number in range(1, 31))

_STUDENT_NAMES = (
    "Amal Haddad",
    "Ben Okafor",
    "Chen Wei",
    "Dalia Nasser",
    "Elif Kaya",
    "Farid Rahmani",
    "Grace Mensah",
    "Hana Suzuki",
    "Ivan Petrov",
    "Jana Nováková",
    "Khaled Mansour",
    "Lina Sørensen",
    "Mateo Álvarez",
    "Noor Aziz",
    "Olga Kowalska",
    "Priya Sharma",
    "Quentin Dubois",
    "Rania Saleh",
    "Samuel Tesfaye",
    "Tala Khoury",
    "Ursula Weber",
    "Victor Silva",
    "Wafa Idris",
    "Xenia Popescu",
    "Yusuf Demir",
    "Zahra Karimi",
    "Anton Berg",
    "Bushra Malik",
    "Clara Rossi",
    "ليلى حسن",
)


class DemoPeople:
    """Makes the accounts of the demo school, as often as it is asked to."""

    def __init__(self, *, accounts: Accounts, passwords: PasswordHasher) -> None:
        self._accounts, self._passwords = accounts, passwords

    async def ensure(self, *, are_passwords_random: bool = False) -> Mapping[str, str]:
        """Make the accounts that are missing; the passwords of those made just now, by address.

        The known password is outside the password rules and hashed once for all. Where others can reach the server,
        the admin, the teacher and the class get random ones instead, which nobody learns again.
        """
        people = _people()
        known = await User.known_email_keys([_key(email) for email, _, _ in people])
        missing = [person for person in people if _key(person[0]) not in known]
        chosen: dict[Role, tuple[str, str]] = {}
        made: dict[str, str] = {}
        for email, full_name, role in missing:
            if role not in chosen:
                chosen[role] = await self._choose(chosen, are_passwords_random=are_passwords_random)
            password, password_hash = chosen[role]
            user_id = derived_id("usr", "demo", email)
            account = NewAccount(email, _key(email), full_name, role, password_hash, user_id, is_verified=True)
            if await self._accounts.add(account) is not None:
                made[email] = password
        return made

    async def _choose(self, chosen: Mapping[Role, tuple[str, str]], *, are_passwords_random: bool) -> tuple[str, str]:
        if chosen and not are_passwords_random:
            return next(iter(chosen.values()))
        password = random_token(12) if are_passwords_random else DEMO_PASSWORD
        return password, await self._passwords.hash(password)


def _people() -> list[tuple[str, str, Role]]:
    students = zip(STUDENT_EMAILS, _STUDENT_NAMES, strict=True)
    return [
        (ADMIN_EMAIL, "Adam Admin", Role.ADMIN),
        (TEACHER_EMAIL, "Tamar Teacher", Role.INSTRUCTOR),
        *((email, full_name, Role.STUDENT) for email, full_name in students),
    ]


def _key(email: str) -> str:
    key = find_email_key(email)
    if key is None:
        raise ValueError(f"{email} is no address")
    return key
