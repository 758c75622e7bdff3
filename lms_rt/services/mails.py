"""Mails: an order becomes a letter in its reader's language, if they want it, and goes to whoever carries letters.

When and how often it is tried is the job's (`jobs.py`); what people want is `preferences.py`'s.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol
from urllib.parse import urlsplit

from pydantic import ValidationError

from config.settings import Settings
from documents.base import Row
from documents.job import Job
from documents.sent_mail import SentMail
from documents.user import User, is_leaving_row
from lms_rt.clock import Clock
from lms_rt.contracts.accounts import DEMO_DOMAIN
from lms_rt.contracts.base import Page, PageQuery, page_of
from lms_rt.contracts.jobs import MAX_WAIT_SECONDS
from lms_rt.contracts.letters import Letter, Sender
from lms_rt.contracts.mails import Digest, KeptMailHead, KeptMailView, MailData, MailOrder, mail_template
from lms_rt.contracts.notifications import ALL_KINDS
from lms_rt.errors import Code, Refused
from lms_rt.gateways.mail import Hold, KeepingPostman, MailRefused, NoPostman, Note, Postman, no_hold, no_note
from lms_rt.gateways.smtp import MailServer, SmtpPostman
from lms_rt.ids import derived_id
from lms_rt.mails.rendering import Reader, Renderer, zone_of
from lms_rt.mails.wording import language_of, one_line
from lms_rt.security.keyring import keyring_of
from lms_rt.security.unsubscribing import UnsubscribeTokens
from lms_rt.services import figures
from lms_rt.services.gathering import Gathering
from lms_rt.services.insisting import LONG, insist
from lms_rt.services.jobs import Failed, Hopeless, LeaseLost, NotYet
from lms_rt.services.unreachable import Refusals, rests

MAX_OUTAGE = timedelta(days=3)
"""So long mails wait for a mail server that no mail can reach; then each is tried as often as any job, and given up."""
_ANYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - nothing is bound here


Complete = Callable[[MailOrder], Awaitable[Mapping[str, Any] | None]]
"""Makes what a mail shows besides its order's data: a secret that lies nowhere before. None: there is nothing to send."""


class MailWishes(Protocol):
    """What people say of their mails; `Preferences` is one."""

    async def mail_moment(self, user_id: str, kind: str, now: datetime) -> datetime | None:
        """When a mail of this kind may come; None: never."""

    async def switch_off_mail(self, user_id: str, kind: str) -> None:
        """No mails of this kind any more; of `ALL_KINDS`: of none that can be switched off."""


class Mails:
    """Writes mails and hands them over."""

    def __init__(self, *, settings: Settings, clock: Clock, postman: Postman, wishes: MailWishes | None = None) -> None:
        self._clock, self._postman, self._wishes = clock, postman, wishes
        self._refusals = Refusals()
        self._accounts = Gathering(User.find_mail_accounts)
        self._completes: dict[str, Complete] = {}
        self._renderer = Renderer(site_name=settings.project_name, site_url=site_url(settings))
        self._domain = sender_of(settings).domain
        self._tokens = UnsubscribeTokens(keyring_of(settings))
        self.has_mailbox = isinstance(postman, KeepingPostman)

    def complete(self, template: str, by: Complete) -> None:
        """Have the data of a template completed when one of its mails is written, at every try anew."""
        self._completes[template] = by

    async def send(self, order: MailOrder, note: Note = no_note, *, hold: Hold = no_hold) -> None:
        """Send one mail and have that noted, before another is handed over. Raises what a task raises: `Failed`, `NotYet` …

        An account that is gone, closed or made up, a reader who wants none, and an address that takes none gets none; that
        is all right, and noted. Who has closed their own account hears of that, and of how to keep it. What cannot be held
        (the job is another worker's, the database is away) is not handed over.
        """
        noted = partial(insist, note, LONG)
        written = await self._written(order)
        if isinstance(written, str):
            _count(order, written)
            await noted()
            return
        letter, account = written
        try:
            await self._postman.deliver(letter, noted, hold=partial(insist, hold, LONG, gives_up=(LeaseLost,)))
        except MailRefused as refused:
            _count(order, "refused" if refused.is_final else "failed")
            if refused.is_unreachable:
                await self._refusals.note_refusal(account, order, str(refused), self._clock.now())
            raise await self._failure(order, refused) from refused
        _count(order, "sent")
        await self._refusals.note_taken(account)

    async def _written(self, order: MailOrder) -> tuple[Letter, Row] | str:
        """The letter and whose it is; when it is not to be sent, a word for why."""
        if (by := self._completes.get(order.template)) is not None:
            made = await by(order)
            if made is None:
                return "nobody"
            order = replace(order, data={**order.data, **made})
        data, kind = _checked(order)
        account = await self._accounts.find(order.user_id)
        if account is None or not (account["is_active"] or (kind is None and is_leaving_row(account))):
            return "nobody"
        if account["email"].endswith(f"@{DEMO_DOMAIN}") and not self.has_mailbox:
            return "nobody"
        if rests(account, order, self._clock.now()):
            return "resting"
        if kind is not None and not order.is_due and not await self._is_wanted(order, kind):
            return "unwanted"
        return self._letter(order, data, kind, account), account

    async def run(self) -> None:
        """Look after what the carrier keeps open, until cancelled."""
        await self._postman.run()

    async def close(self) -> None:
        """Let go of the carrier."""
        await self._postman.close()

    # --- unsubscribing ---

    def unsubscribe_url(self, user_id: str, kind: str, language: str) -> str:
        """Where mails of this kind are switched off, without signing in."""
        return self._renderer.url(f"/unsubscribe/{self._tokens.issue(user_id, kind)}?lang={language}")

    def unsubscribed_kind(self, token: str) -> str:
        """The kind that a link is about. 404 when we did not make it."""
        return self._read(token)[1]

    async def unsubscribe(self, token: str) -> str:
        """Switch off what a link is about; the kind. Again changes nothing."""
        user_id, kind = self._read(token)
        if self._wishes is not None:
            await self._wishes.switch_off_mail(user_id, kind)
        return kind

    def _read(self, token: str) -> tuple[str, str]:
        if (meant := self._tokens.read(token)) is None:
            raise Refused(Code.NOT_FOUND)
        return meant

    # --- the mailbox of development ---

    async def kept(self, query: PageQuery) -> Page[KeptMailHead]:
        """What would have been sent, the newest first. 404 where mails are really sent."""
        self._require_mailbox()
        rows, total = await SentMail.page(skip=query.skip, limit=query.page_size)
        return page_of([KeptMailHead(**_head(row)) for row in rows], query, total)

    async def kept_one(self, message_id: str) -> KeptMailView:
        """One mail with both its bodies."""
        self._require_mailbox()
        row = await SentMail.find_row(message_id)
        if row is None:
            raise Refused(Code.NOT_FOUND)
        return KeptMailView(
            **_head(row), text=row["text"], html=row["html"], unsubscribe_url=row.get("unsubscribe_url")
        )

    def _require_mailbox(self) -> None:
        if not self.has_mailbox:
            raise Refused(Code.NOT_FOUND)

    # --- one letter ---

    async def _is_wanted(self, order: MailOrder, kind: str) -> bool:
        if self._wishes is None:
            return True
        now = self._clock.now()
        moment = await self._wishes.mail_moment(order.user_id, kind, now)
        if moment is None:
            return False
        if moment > now:
            raise NotYet(moment)
        return True

    async def _failure(self, order: MailOrder, refused: MailRefused) -> Failed | NotYet:
        """What the job is told. A server that is away, or asks for patience, is asked ever more seldom."""
        if refused.is_final:
            return Hopeless(str(refused))
        wait = refused.retry_after_seconds
        row = None if wait is None else await Job.find_row(order.seed)
        if wait is None or row is None:
            return Failed(str(refused), retry_after_seconds=wait)
        now = self._clock.now()
        age = now - row["created_at"]
        if refused.is_outage and age < MAX_OUTAGE:
            wait = min(max(wait, age.total_seconds()), MAX_WAIT_SECONDS) * random.uniform(0.9, 1)  # noqa: S311 - only apart
            return NotYet(now + timedelta(seconds=wait), str(refused))
        return Failed(str(refused), retry_after_seconds=min(wait * 2 ** row["tries"], MAX_WAIT_SECONDS))

    def _letter(self, order: MailOrder, data: MailData, kind: str | None, account: Row) -> Letter:
        language = language_of(account["locale"])
        full_name = one_line(account["full_name"])
        reader = Reader(full_name, account["email"], language, zone_of(account["timezone"]))
        unsubscribe_url = None if kind is None else self.unsubscribe_url(order.user_id, kind, language)
        rendered = self._renderer.render(order.template, data, reader, unsubscribe_url=unsubscribe_url)
        return Letter(
            message_id=f"{derived_id('msg', order.seed)}@{self._domain}",
            template=order.template,
            recipient=account["email"],
            recipient_name=full_name,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            language=language,
            at=self._clock.now(),
            unsubscribe_url=unsubscribe_url,
        )


def site_url(settings: Settings) -> str:
    """Where people reach this site; in development, where it listens."""
    host = "localhost" if settings.http_host in _ANYWHERE else settings.http_host
    return settings.public_url.rstrip("/") or f"http://{host}:{settings.http_port}"


def sender_of(settings: Settings) -> Sender:
    """Who mails come from."""
    host = urlsplit(settings.public_url).hostname or "localhost"
    return Sender(settings.email_from or f"no-reply@{host}", settings.email_from_name or settings.project_name)


def postman_of(settings: Settings) -> Postman:
    """Who carries the mails of this installation."""
    if not settings.smtp_host:
        return KeepingPostman() if settings.is_embedded and not settings.is_production else NoPostman()
    server = MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        tls=settings.smtp_tls,
        username=settings.smtp_username,
        password=settings.smtp_password.get_secret_value(),
        timeout_seconds=settings.smtp_timeout_seconds,
        handovers=settings.smtp_handovers,
    )
    return SmtpPostman(server, sender_of(settings))


def _checked(order: MailOrder) -> tuple[MailData, str | None]:
    """The data as its template's model, and the kind of the mail."""
    try:
        template = mail_template(order.template)
        data = template.data.model_validate(dict(order.data))
    except KeyError:
        raise Hopeless(f"there is no mail {order.template!r}") from None
    except ValidationError as error:
        places = ", ".join(sorted({".".join(map(str, fault["loc"])) for fault in error.errors()}))
        raise Hopeless(f"the data of {order.template} does not fit: {places}") from None
    return data, (data.kind or ALL_KINDS) if isinstance(data, Digest) else template.kind


def _count(order: MailOrder, result: str) -> None:
    figures.MAILS.labels(order.template, result).inc()


def _head(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("template", "recipient", "recipient_name", "subject", "language", "at")
    return {"id": row["_id"], **{name: row[name] for name in names}}
