"""Second steps of signing in: codes of an app (RFC 6238), codes by mail, recovery codes. Who needs which is the service's.

No code is kept as it is typed: an app's secret is sealed by whoever stores it, a mailed code is made again from a key of
ours and the name of its occasion, and of recovery codes the SHA-256 is enough, since they are long and random.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import secrets
import unicodedata

import pyotp
import segno

from lms_rt.security.keyring import Key, Keyring

STEP_MS = 30_000
DRIFT_STEPS = 1
"""A code of the step before or after is right too: clocks differ, and typing takes a while."""
CODE_DIGITS = 6
RECOVERY_CODES = 10
MAX_TYPED = 100
"""Longer than any code with its spaces; for the borders that take one."""
_RECOVERY_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: none looks like another
_RECOVERY_LENGTH, _GROUP = 16, 4
_LOOK_ALIKES = str.maketrans("OIL", "011")
_MAIL_PURPOSE = "mfa mail code"


# --- as it is typed ---


def folded_code(typed: str) -> str:
    """The signs of a code alone: digits of every script as 0 to 9, letters large, no spaces, hyphens or direction marks."""
    signs = unicodedata.normalize("NFKC", typed[:MAX_TYPED])
    return "".join(_folded_sign(sign) for sign in signs if sign.isalnum()).upper()


def _folded_sign(sign: str) -> str:
    value = unicodedata.decimal(sign, None)
    return sign if value is None else str(value)


# --- codes of an app ---


def new_totp_secret() -> str:
    """160 random bits, as apps take them."""
    return pyotp.random_base32()


def find_totp_step(secret: str, typed: str, *, now_ms: int, after: int) -> int | None:
    """The time step whose code this is, of the one before, of now, and the next; only those later than `after`.

    Whoever calls stores the step before the code counts: a code that was used is none any more.
    """
    code, present = folded_code(typed), now_ms // STEP_MS
    app = pyotp.TOTP(secret)
    steps = range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1)
    right = [step for step in steps if hmac.compare_digest(app.generate_otp(step).encode(), code.encode())]
    return next((step for step in right if step > after), None)


def otpauth_uri(secret: str, *, account: str, issuer: str) -> str:
    """What an app reads: whose secret it is, and of which site."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def qr_svg(text: str) -> str:
    """The text as a picture that a telephone reads: SVG without styles, black on white whatever the page's colours."""
    made = io.BytesIO()
    code = segno.make(text, error="m", micro=False)
    code.save(
        made,
        kind="svg",
        xmldecl=False,
        omitsize=True,
        dark="#000",
        light="#fff",
        border=4,
        svgclass=None,
        lineclass=None,
    )
    return made.getvalue().decode().strip()


# --- codes by mail ---


class MailedCodes:
    """Codes that are sent by mail: the same occasion always has the same code, and the database holds none."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def code_of(self, occasion: str) -> str:
        """The code of an occasion, for its mail."""
        return _mailed(self._keyring.current, occasion)

    def is_right(self, occasion: str, typed: str) -> bool:
        """Is it the code of this occasion, by the key of today or a former one? Takes as long for a wrong one."""
        code = folded_code(typed).encode()
        found = [hmac.compare_digest(_mailed(key, occasion).encode(), code) for key in self._keyring]
        return any(found)


def _mailed(key: Key, occasion: str) -> str:
    digest = hmac.digest(key.derived(_MAIL_PURPOSE), occasion.encode(), "sha256")
    return f"{int.from_bytes(digest[:16], 'big') % 10**CODE_DIGITS:0{CODE_DIGITS}d}"


# --- recovery codes ---


def new_recovery_codes() -> list[str]:
    """Ten new ones of 80 bits each, as they are shown once: four groups of four signs."""
    return [
        _grouped("".join(secrets.choice(_RECOVERY_SIGNS) for _ in range(_RECOVERY_LENGTH)))
        for _ in range(RECOVERY_CODES)
    ]


def recovery_hash(typed: str) -> str | None:
    """Under what a recovery code is kept; None: what was typed has not the shape of one."""
    code = folded_code(typed).translate(_LOOK_ALIKES)
    if len(code) != _RECOVERY_LENGTH or not set(code) <= set(_RECOVERY_SIGNS):
        return None
    return hashlib.sha256(code.encode()).hexdigest()


def _grouped(code: str) -> str:
    return "-".join(code[start : start + _GROUP] for start in range(0, len(code), _GROUP))
