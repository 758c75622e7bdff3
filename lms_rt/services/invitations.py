"""Invitations: who was given an account by the school chooses a password for it by the link of a mail.

Taking the link back is `password_resets.py`'s: it is the same change, made for the first time.
"""

from __future__ import annotations

from documents.enums import Role
from documents.user import User
from lms_rt.contracts.actor import Actor
from lms_rt.contracts.outbox import Intent, Write, job
from lms_rt.errors import Code, Refused
from lms_rt.services.mail_links import MailLinks


class Invitations:
    """Invites people to accounts that were made for them."""

    def __init__(self, *, links: MailLinks) -> None:
        self._links = links

    @staticmethod
    def invite(write: Write, user: User, inviter: Actor) -> Intent:
        """The mail to somebody new, for the outbox of the write that makes their account (without a password)."""
        return job(write, "mail.send", {"template": "invitation", "user_id": user.id, "data": _told(user, inviter)})

    async def invite_again(self, user: User, inviter: Actor) -> None:
        """Another mail to somebody who has not followed the first. Refused when they have a password by now."""
        if user.password_hash:
            raise Refused(Code.CONFLICT, "This account has a password already.")
        await self._links.order("invitation", user.id, _told(user, inviter))


def _told(user: User, inviter: Actor) -> dict[str, str]:
    return {"invited_by": inviter.full_name, "role": Role(user.role).value}
