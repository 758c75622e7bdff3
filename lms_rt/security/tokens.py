"""Tokens: short-lived signed access tokens, and the text form of refresh tokens. What they stand for is sessions'."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import jwt

from documents.enums import Role
from lms_rt.clock import Clock
from lms_rt.errors import Code, Refused
from lms_rt.ids import random_token
from lms_rt.security.keyring import Key, Keyring

AUDIENCE = "lms_rt:api"
_TYPE = "access"
_LEEWAY_MS = 10_000
_ALGORITHMS = frozenset({"HS256", "HS384", "HS512"})
_REQUIRED = ["sub", "role", "typ", "jti", "sid", "iat", "exp", "iss", "aud"]
_MAX_LENGTH = 4096
_LEAST_KEY_BYTES = 32
_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a verified access token says. Who acts in this person's place is `impersonator_id`, from a session of theirs."""

    user_id: str
    role: Role
    session_id: str
    token_id: str
    expires_at_ms: int
    impersonator_id: str = ""
    impersonator_session_id: str = ""

    @property
    def acting(self) -> tuple[str, str]:
        """Who acts and in which session; empty texts when nobody does."""
        return self.impersonator_id, self.impersonator_session_id


@dataclass(frozen=True, slots=True)
class Impersonator:
    """Who acts in somebody's place, and the session of theirs from which they do."""

    user_id: str
    session_id: str


class AccessTokens:
    """Issues access tokens by the current key, and verifies those of every key that is named.

    A token says by its `kid` which key signed it; one without was signed before keys had names, by the current one.
    A token that was verified once is known until it expires, at most 10,000 of them: verifying costs 30 µs, and
    a live client shows the same token again and again.
    """

    def __init__(
        self, *, keys: Keyring, clock: Clock, issuer: str, lifetime_seconds: int, algorithm: str = "HS256"
    ) -> None:
        if algorithm not in _ALGORITHMS:
            raise ValueError(f"ALGORITHM must be one of {', '.join(sorted(_ALGORITHMS))}, not {algorithm}")
        if any(len(key.secret.encode()) < _LEAST_KEY_BYTES for key in keys):
            raise ValueError(f"SECRET_KEY must have at least {_LEAST_KEY_BYTES} bytes, and so must the former ones")
        self._keys, self._clock, self._issuer, self._algorithm = keys, clock, issuer, algorithm
        self.lifetime_seconds = lifetime_seconds
        self._jwt = jwt.PyJWT({"enforce_minimum_key_length": True})
        self._verified: OrderedDict[bytes, AccessClaims] = OrderedDict()

    def issue(self, user_id: str, role: Role, session_id: str, *, impersonator: Impersonator | None = None) -> str:
        """A new token for this session; marked `act` when somebody else acts in it."""
        issued_at = self._clock.now_ms() // 1000
        claims: dict[str, Any] = {
            "sub": user_id,
            "role": str(role),
            "typ": _TYPE,
            "jti": random_token(12),
            "sid": session_id,
            "iat": issued_at,
            "exp": issued_at + self.lifetime_seconds,
            "iss": self._issuer,
            "aud": AUDIENCE,
        }
        if impersonator is not None:
            claims["act"] = {"sub": impersonator.user_id, "sid": impersonator.session_id}
        key = self._keys.current
        return self._jwt.encode(claims, key.secret, self._algorithm, headers={"kid": key.key_id})

    def verify(self, token: str) -> AccessClaims:
        """What the token says; refused when it is not ours (`invalid_token`) or too old (`token_expired`)."""
        if len(token) > _MAX_LENGTH:
            raise Refused(Code.INVALID_TOKEN)
        fingerprint = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        claims = self._verified.get(fingerprint)
        is_known = claims is not None
        if claims is None:
            claims = self._read(token)
        if claims.expires_at_ms <= self._clock.now_ms():
            self._verified.pop(fingerprint, None)
            raise Refused(Code.TOKEN_EXPIRED)
        if not is_known:
            self._keep(fingerprint, claims)
        return claims

    def _read(self, token: str) -> AccessClaims:
        # Times are checked here and not by PyJWT, whose now is the machine's and not the clock's.
        options: Any = {"require": _REQUIRED, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
        try:
            key = self._key_of(token).secret
            claims = self._jwt.decode(
                token, key, algorithms=[self._algorithm], audience=AUDIENCE, issuer=self._issuer, options=options
            )
            return self._checked(claims)
        except (jwt.InvalidTokenError, ValueError):
            raise Refused(Code.INVALID_TOKEN) from None

    def _key_of(self, token: str) -> Key:
        """The key that the token names, among ours alone: nothing else in its header is looked at."""
        header = jwt.get_unverified_header(token)
        key = self._keys.find(header["kid"]) if "kid" in header else self._keys.current
        if key is None:
            raise ValueError("a key that is none of ours")
        return key

    def _checked(self, claims: dict[str, Any]) -> AccessClaims:
        issued_at, expires_at = claims["iat"], claims["exp"]
        if claims["typ"] != _TYPE or type(issued_at) is not int or type(expires_at) is not int:
            raise ValueError("not an access token of ours")
        if issued_at * 1000 > self._clock.now_ms() + _LEEWAY_MS:
            raise ValueError("issued in the future")
        texts = (claims["sub"], claims["sid"], claims["jti"])
        if not all(isinstance(text, str) and text for text in texts):
            raise ValueError("not texts")
        return AccessClaims(*self._named(claims), expires_at * 1000, *_acting(claims))

    @staticmethod
    def _named(claims: dict[str, Any]) -> tuple[str, Role, str, str]:
        return claims["sub"], Role(claims["role"]), claims["sid"], claims["jti"]

    def _keep(self, fingerprint: bytes, claims: AccessClaims) -> None:
        self._verified[fingerprint] = claims
        if len(self._verified) > _MOST_KNOWN:
            self._verified.popitem(last=False)


def _acting(claims: dict[str, Any]) -> tuple[str, str]:
    """Who acts, and in which session; empty texts when it is the person themselves."""
    if "act" not in claims:
        return "", ""
    acting = claims["act"]
    user_id, session_id = (acting.get("sub"), acting.get("sid")) if isinstance(acting, dict) else (None, None)
    if not (isinstance(user_id, str) and user_id and isinstance(session_id, str) and session_id):
        raise ValueError("nobody acts")
    return user_id, session_id


class RefreshTokens:
    """The text form of refresh tokens: `family.generation.HMAC(key, family, generation)`.

    Nothing of them is stored: whoever holds the key can make the current one again, which is what the second of two
    tabs gets.
    """

    _SHAPE = re.compile(r"^(fam_[0-9a-z]{26})\.([1-9][0-9]{0,9})\.([A-Za-z0-9_-]{43})$")

    def __init__(self, keys: Keyring) -> None:
        self._keys = [key.derived_by_hmac("refresh") for key in keys]

    def write(self, family: str, generation: int) -> str:
        """The token of this generation."""
        return f"{family}.{generation}.{_signature(self._keys[0], family, generation)}"

    def read(self, token: str) -> tuple[str, int]:
        """Family and generation of a token that we made; else refused."""
        match = self._SHAPE.fullmatch(token)
        if match is None:
            raise Refused(Code.INVALID_TOKEN, "The refresh token is not valid.")
        family, generation, signature = match[1], int(match[2]), match[3]
        signed = [_signature(key, family, generation) for key in self._keys]
        if not any(hmac.compare_digest(one, signature) for one in signed):
            raise Refused(Code.INVALID_TOKEN, "The refresh token is not valid.")
        return family, generation


def _signature(key: bytes, family: str, generation: int) -> str:
    digest = hmac.digest(key, f"{family}.{generation}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
