"""Access rules: who may call an operation at all. Every operation declares one; without it the server does not start.

Whether *this* course or *that* attempt is the caller's is not decided here but by the services through
`lms_rt/security/access`, after loading it.
"""

from __future__ import annotations

from dataclasses import dataclass

from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused


@dataclass(frozen=True, slots=True)
class Access:
    """One rule. `reads_credentials` is off where a stale token must not stand in the way (signing in, health)."""

    name: str
    is_public: bool = False
    reads_credentials: bool = True
    permissions: frozenset[str] = frozenset()
    any_of: frozenset[str] = frozenset()

    def check(self, actor: Actor) -> None:
        """Let the actor pass, or raise: 401 for a stranger, 403 for who lacks the permission. No word of a role is asked."""
        if self.is_public:
            return
        if actor.is_stranger:
            raise Refused(Code.UNAUTHENTICATED)
        if any(not actor.has_permission(permission) for permission in self.permissions):
            raise Refused(Code.FORBIDDEN)
        if self.any_of and not any(actor.has_permission(permission) for permission in self.any_of):
            raise Refused(Code.FORBIDDEN)

    @property
    def can_forbid(self) -> bool:
        """Can a signed-in caller be refused by this rule?"""
        return bool(self.permissions or self.any_of)


def refuse_impersonator(actor: Actor) -> None:
    """Refuse (403) who acts in somebody else's place: what is asked for is their own alone."""
    if actor.is_impersonated:
        raise Refused(Code.FORBIDDEN, "Only the person themselves may do this.")


ANONYMOUS = Access("anonymous", is_public=True, reads_credentials=False)
"""For everybody, credentials unread: sign-in, refresh, health, documentation. The actor is always a stranger."""

PUBLIC = Access("public", is_public=True)
"""For everybody; a signed-in caller is known as `call.actor` (a bad bearer token is still 401)."""

SIGNED_IN = Access("signed in")
"""For every signed-in person."""


def needs(*permissions: str) -> Access:
    """For those who hold all of these permissions, by role or by themselves ("quizzes:manage")."""
    return Access("needs " + ", ".join(permissions), permissions=frozenset(permissions))


def needs_one_of(*permissions: str) -> Access:
    """For those who hold one of these permissions; what they may do by it, the service decides."""
    return Access("needs " + " or ".join(permissions), any_of=frozenset(permissions))
