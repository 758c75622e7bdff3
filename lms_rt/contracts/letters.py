"""A finished mail on its way from the rendering to whoever carries it: words in both forms, and what the envelope needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to one person. A repeat of it has the same `message_id` (without its angle brackets).

    `unsubscribe_url`: this mail can be switched off there, by one click of the mail program.
    """

    message_id: str
    template: str
    recipient: str
    recipient_name: str
    subject: str
    text: str
    html: str
    language: str
    at: datetime
    unsubscribe_url: str | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who mails come from."""

    address: str
    name: str

    @property
    def domain(self) -> str:
        """The part behind the @ as the network writes it: Message-IDs end with it, and servers are greeted by it."""
        return self.address.rpartition("@")[2].encode("idna").decode()
