"""The words of notifications, in the reader's language at the moment of reading. Which text is told is decided by the rules.

A text has a title and a body; `{name}` stands for a fact of the notification's data. A fact in another script than the
sentence is isolated, so that it does not turn the sentence around it, and what is not seen in it is left out, as in mails.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from lms_rt.mails.wording import seen

_PLACE = re.compile(r"\{(\w+)\}")
_ARABIC = re.compile("[\u0590-\u08ff\ufb1d-\ufeff]")
_LATIN = re.compile("[A-Za-z\u00c0-\u024f]")
_PERCENTAGES = frozenset({"percentage", "previous_percentage"})

TEXTS: Mapping[str, Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "en": {
            "enrollment.created": ("You’re enrolled in {course_title}", "You can begin at once."),
            "enrollment.created.staff": ("{student_name} enrolled in {course_title}", ""),
            "enrollment.completed": ("You completed {course_title}", "Every lesson is done. Well done!"),
            "enrollment.expired": ("Your access to {course_title} has ended", "Your progress is kept."),
            "attempt.submitted.deadline": (
                "Time was up for {quiz_title}",
                "Your attempt was handed in with the answers that were saved until then.",
            ),
            "attempt.submitted.pause": (
                "The pause of {quiz_title} was ended",
                "Nobody let it go on. The paused attempts were handed in with what was saved.",
            ),
            "attempt.graded.passed": ("You passed {quiz_title}", "Your result is {percentage}."),
            "attempt.graded.failed": ("{quiz_title} is graded", "Your result is {percentage}: not passed this time."),
            "attempt.graded.plain": ("{quiz_title} is graded", "Your result is there to be seen."),
            "attempt.regraded": (
                "{quiz_title} was graded again",
                "Your result was {previous_percentage} and is {percentage} now.",
            ),
            "attempt.regraded.why": (
                "{quiz_title} was graded again",
                "Your result was {previous_percentage} and is {percentage} now. Why: {reason}",
            ),
            "assignment.graded.plain": ("{assignment_title} is graded", "Your teacher has looked at your work."),
            "assignment.graded.first": ("{assignment_title} is graded", "Your grade is {grade} of {points}."),
            "assignment.graded.again": (
                "Your grade in {assignment_title} is another one",
                "It was {previous} and is {grade} of {points} now.",
            ),
            "assignment.graded.why": (
                "{assignment_title} was graded again",
                "Your grade was {previous} and is {grade} of {points} now. Why: {reason}",
            ),
            "certificate.issued": (
                "Your certificate for {course_title}",
                "It is {certificate_number}, ready to be fetched.",
            ),
            "certificate.revoked": (
                "Your certificate {certificate_number} was revoked",
                "{course_title}. Why: {reason}",
            ),
            "payment.completed": ("Your payment has arrived", "Thank you. {title} is paid."),
            "payment.failed": ("Your payment did not go through", "Nothing was taken for {title}."),
            "payment.refunded": ("Your payment was refunded", "Money for {title} is on its way back to you."),
            "webhook.disabled": ("A webhook was switched off", "{url} could not be told: {reason}"),
            "announcement": ("{course_title}: {title}", "{text}"),
            "announcement.plain": ("An announcement in {course_title}", "{text}"),
            "chat.mention": ("{author_name} mentioned you in the chat of {course_title}", ""),
            "review.created": ("{student_name} reviewed {course_title}", ""),
            "file.refused": (
                "Your image could not be used",
                "{filename} cannot be read, or is too large. Please upload it anew.",
            ),
        },
        "ar": {
            "enrollment.created": ("تم تسجيلك في {course_title}", "يمكنك أن تبدأ الآن."),
            "enrollment.created.staff": ("سجّل {student_name} في {course_title}", ""),
            "enrollment.completed": ("أكملت {course_title}", "أنهيت كل الدروس. أحسنت!"),
            "enrollment.expired": ("انتهى وصولك إلى {course_title}", "تقدّمك محفوظ."),
            "attempt.submitted.deadline": (
                "انتهى وقت {quiz_title}",
                "سُلّمت محاولتك بالإجابات التي حُفظت حتى ذلك الوقت.",
            ),
            "attempt.submitted.pause": (
                "أُنهي إيقاف {quiz_title}",
                "لم يستأنفه أحد. سُلّمت المحاولات الموقوفة بما حُفظ منها.",
            ),
            "attempt.graded.passed": ("نجحت في {quiz_title}", "نتيجتك {percentage}."),
            "attempt.graded.failed": ("صُحّح {quiz_title}", "نتيجتك {percentage}: لم تنجح هذه المرة."),
            "attempt.graded.plain": ("صُحّح {quiz_title}", "يمكنك الآن رؤية نتيجتك."),
            "attempt.regraded": (
                "أُعيد تصحيح {quiz_title}",
                "كانت نتيجتك {previous_percentage} وأصبحت {percentage}.",
            ),
            "attempt.regraded.why": (
                "أُعيد تصحيح {quiz_title}",
                "كانت نتيجتك {previous_percentage} وأصبحت {percentage}. السبب: {reason}",
            ),
            "assignment.graded.plain": ("صُحّح {assignment_title}", "اطّلع معلّمك على عملك."),
            "assignment.graded.first": ("صُحّح {assignment_title}", "درجتك {grade} من {points}."),
            "assignment.graded.again": (
                "تغيّرت درجتك في {assignment_title}",
                "كانت {previous} وأصبحت {grade} من {points}.",
            ),
            "assignment.graded.why": (
                "أُعيد تصحيح {assignment_title}",
                "كانت درجتك {previous} وأصبحت {grade} من {points}. السبب: {reason}",
            ),
            "certificate.issued": ("شهادتك في {course_title}", "رقمها {certificate_number}، ويمكنك تنزيلها الآن."),
            "certificate.revoked": ("أُلغيت شهادتك {certificate_number}", "{course_title}. السبب: {reason}"),
            "payment.completed": ("وصل دفعك", "شكرًا لك. دُفع ثمن {title}."),
            "payment.failed": ("لم يتم دفعك", "لم يُقتطع شيء مقابل {title}."),
            "payment.refunded": ("أُعيد إليك ما دفعته", "المال المدفوع مقابل {title} في طريقه إليك."),
            "webhook.disabled": ("أُوقف خطّاف ويب", "تعذّر إبلاغ {url}: {reason}"),
            "announcement": ("{course_title}: {title}", "{text}"),
            "announcement.plain": ("إعلان في {course_title}", "{text}"),
            "chat.mention": ("ذكرك {author_name} في دردشة {course_title}", ""),
            "review.created": ("قيّم {student_name} {course_title}", ""),
            "file.refused": ("تعذّر استخدام صورتك", "تتعذّر قراءة {filename} أو أنها كبيرة جدًا. ارفعها من جديد من فضلك."),
        },
    }
)
"""Title and body by language and text."""


def language_of(locale: str) -> str:
    """The language that a profile's locale is read in: Arabic, else English."""
    return "ar" if locale.partition("-")[0] == "ar" else "en"


def words_of(text: str, data: Mapping[str, Any], locale: str) -> tuple[str, str]:
    """Title and body of a notification. A text that this version does not know is told by its name."""
    language = language_of(locale)
    title, body = TEXTS[language].get(text, (text, ""))
    return _filled(title, data, language), _filled(body, data, language)


def _filled(words: str, data: Mapping[str, Any], language: str) -> str:
    is_whole = _PLACE.fullmatch(words) is not None
    return _PLACE.sub(lambda place: _fact(place.group(1), data, language, is_whole=is_whole), words)


def _fact(name: str, data: Mapping[str, Any], language: str, *, is_whole: bool) -> str:
    value = data.get(name)
    if value is None:
        return "…"
    if name in _PERCENTAGES:
        return f"{float(value):g}%"
    text = seen(str(value))
    foreign = _LATIN if language == "ar" else _ARABIC
    return text if is_whole or not foreign.search(text) else f"\u2068{text}\u2069"
