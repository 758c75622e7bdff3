"""Who carries mails: the role, and the carriers that need no mail server. SMTP is `smtp.py`; what is written is not known here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from documents.sent_mail import SentMail
from lms_rt.contracts.letters import Letter

MAX_KEPT = 500
Note = Callable[[], Awaitable[None]]
"""Writes down that a letter is gone. It is called once, when the letter has become somebody else's care."""
Hold = Callable[[], Awaitable[None]]
"""Makes sure that the letter is still ours to hand over, right before that is done. Raises when it is not."""


async def no_note() -> None:
    """For letters that nobody keeps account of."""


async def no_hold() -> None:
    """For letters that nobody else can have."""


class MailRefused(Exception):
    """A mail did not leave, in words for people. `is_final`: the server said that it never will.

    `is_outage`: no mail could have left; whoever runs the school has to mend something. `is_unreachable`: none to this
    address ever will. `retry_after_seconds`: trying again before that is of no use.
    """

    def __init__(
        self,
        words: str,
        *,
        is_final: bool = False,
        is_outage: bool = False,
        is_unreachable: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(words)
        self.is_final, self.is_outage, self.is_unreachable = is_final, is_outage, is_unreachable
        self.retry_after_seconds = retry_after_seconds


class Postman(ABC):
    """Carries letters to where they are read, or at least to a server that answers for them."""

    @abstractmethod
    async def deliver(self, letter: Letter, note: Note = no_note, *, hold: Hold = no_hold) -> None:
        """Return when the letter is somebody else's care, and that is noted. Raises `MailRefused`, and what the two raise.

        However many are delivered at once: no more are handed over and not noted than the settings allow.
        """

    async def run(self) -> None:  # noqa: B027 - nothing to do is a fair answer
        """Look after what is kept open between letters, until cancelled."""

    async def close(self) -> None:  # noqa: B027 - likewise
        """Let go of everything."""


class NoPostman(Postman):
    """For a server without a mail server: letters wait in their jobs until there is one."""

    async def deliver(self, letter: Letter, note: Note = no_note, *, hold: Hold = no_hold) -> None:  # noqa: ARG002 - the role's signature
        """Refuse, in words that name the setting."""
        raise MailRefused("no mail server is set (SMTP_HOST)", is_outage=True, retry_after_seconds=300)


class KeepingPostman(Postman):
    """For development on the embedded store: letters go nowhere, the newest are kept for /dev/mailbox."""

    async def deliver(self, letter: Letter, note: Note = no_note, *, hold: Hold = no_hold) -> None:  # noqa: ARG002 - likewise
        """Keep it; a repeat meets itself, so that the note may come later, and anybody may keep it."""
        fields = {
            "template": letter.template,
            "recipient": letter.recipient,
            "recipient_name": letter.recipient_name,
            "subject": letter.subject,
            "text": letter.text,
            "html": letter.html,
            "language": letter.language,
            "at": letter.at,
            "unsubscribe_url": letter.unsubscribe_url,
        }
        await SentMail.keep(letter.message_id, fields, newest=MAX_KEPT)
        await note()
