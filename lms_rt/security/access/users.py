"""Who may do what with other people's accounts: load and authorise, or raise.

Nobody governs who may do more than they, and nobody gives away what they do not hold: else the right to see to accounts
would be the right to everything.
"""

from __future__ import annotations

from collections.abc import Iterable

from documents.enums import Role
from documents.user import User
from lms_rt.contracts.actor import Actor
from lms_rt.errors import Code, Refused
from lms_rt.security.permissions import Permission, permissions_of


def sees_to_accounts(actor: Actor) -> bool:
    """May the actor look at everybody's account?"""
    return actor.has_permission(Permission.USERS_MANAGE)


def require_account_rights(actor: Actor) -> None:
    """Let those pass who see to accounts."""
    if not sees_to_accounts(actor):
        raise Refused(Code.FORBIDDEN)


async def require_account(actor: Actor, user_id: str) -> User:
    """Somebody's account, for who sees to accounts. One of which nothing is left is not there."""
    require_account_rights(actor)
    return await _found(user_id)


async def require_governed(actor: Actor, user_id: str) -> User:
    """The same of somebody over whom the actor decides."""
    user = await require_account(actor, user_id)
    if user.id != actor.user_id:
        refuse_beyond(actor, Role(user.role), user.permissions)
    return user


async def require_person_to_stand_in_for(actor: Actor, user_id: str) -> User:
    """Somebody in whose place the actor may act: nobody who may do more, no administrator, nobody whose account is closed."""
    if actor.is_impersonated or not actor.has_permission(Permission.IMPERSONATE):
        raise Refused(Code.FORBIDDEN)
    user = await _found(user_id)
    if not user.is_active:
        raise Refused(Code.CONFLICT, "This account is closed.")
    if user.id == actor.user_id:
        raise Refused(Code.CONFLICT, "That is your own account.")
    if user.role == Role.ADMIN:
        raise Refused(Code.FORBIDDEN, "Nobody acts as an administrator.")
    refuse_beyond(actor, Role(user.role), user.permissions)
    return user


def refuse_beyond(actor: Actor, role: Role, own: Iterable[str]) -> None:
    """Refuse where this role with these permissions of its own may do more than the actor, or is an administrator's."""
    if actor.is_admin:
        return
    if role == Role.ADMIN or not permissions_of(role, own) <= actor.permissions:
        raise Refused(Code.FORBIDDEN, "They may do more than you.")


def refuse_for_oneself(actor: Actor, user: User) -> None:
    """Nobody raises, lowers, closes or unlocks themself."""
    if user.id == actor.user_id:
        raise Refused(Code.CONFLICT, "Somebody else has to do this to your account.")


async def _found(user_id: str) -> User:
    user = await User.find_by_id(user_id)
    if user is None or user.erased_at is not None:
        raise Refused(Code.NOT_FOUND)
    return user
