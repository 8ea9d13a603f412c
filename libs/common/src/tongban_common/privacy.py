"""Personal data: masked for eyes, sealed for storage."""

import base64
import hashlib
import hmac
import os
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tongban_common.errors import Refusal

_FOLD = {0xFF10 + digit: str(digit) for digit in range(10)}  # full-width digits
# What in free text leads to a person, with how many digits at its ends stay readable. What stands
# among hexadecimal letters is part of an id.
_IDENTITY = r"(?<!\d)\d{6}(?:19|20)\d\d(?:0[1-9]|1[0-2])[0-3]\d{4}[\dXx](?!\d)"
_MOBILE = r"(?<![0-9a-f])(?:\+?86[- ]?)?(?P<n>1[3-9]\d[- ]?\d{4}[- ]?\d{4})(?![0-9a-f])"
_LANDLINE = r"(?<![0-9a-f])(?P<n>0\d{2,3}[)\uff09]?[- ]?\d{7,8})(?![0-9a-f])"
_NUMBERS = (
    (re.compile(_IDENTITY), 6, 1),
    (re.compile(_MOBILE), 3, 4),
    (re.compile(_LANDLINE), 3, 4),
)


class SealBroken(Refusal):
    code = "privacy.seal_broken"


class Sealer:
    """Field encryption (AES-256-GCM) with a key drawn from the service's secret.

    `context` ties a sealed value to its row and column: moved elsewhere it does not open.
    """

    def __init__(self, secret: str) -> None:
        key = hashlib.sha256(b"tongban field seal v1\n" + secret.encode()).digest()
        self._cipher = AESGCM(key)
        self._index = hashlib.sha256(b"tongban field index v1\n" + secret.encode()).digest()

    def seal(self, value: str, *, context: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, value.encode(), context.encode())

    def open(self, sealed: bytes, *, context: str) -> str:
        """Raises SealBroken when the value was altered, moved, or sealed under another secret."""
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], context.encode()).decode()
        except InvalidTag as fault:
            raise SealBroken("加密字段无法解开：密钥不符或数据被改动") from fault

    def index(self, value: str, *, context: str) -> bytes:
        """A keyed index to find equal values by: without the secret nothing leads back."""
        keyed = hmac.new(self._index, f"{context}\n{value}".encode(), hashlib.sha256)
        return keyed.digest()[:16]


class Signer:
    """Short signatures for links and cursors; purpose keeps one from standing in for another."""

    def __init__(self, secret: str, *, purpose: str) -> None:
        self._key = hashlib.sha256(f"tongban {purpose} v1\n{secret}".encode()).digest()

    def sign(self, payload: bytes) -> bytes:
        return hmac.new(self._key, payload, hashlib.sha256).digest()[:16]

    def token(self, payload: bytes) -> str:
        """URL-safe text: payload, then its 16-byte signature."""
        return base64.urlsafe_b64encode(payload + self.sign(payload)).decode().rstrip("=")

    def payload(self, token: str) -> bytes | None:
        """What a token carries, or None when it is not one of ours."""
        try:
            raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            return None
        payload, signature = raw[:-16], raw[-16:]
        return payload if hmac.compare_digest(self.sign(payload), signature) else None


def mask_name(name: str) -> str:
    """张三丰 → 张**; an empty name stays empty."""
    return name[:1] + "*" * (len(name) - 1)


def mask_phone(phone: str) -> str:
    """13812345678 → 138****5678; anything shorter than 7 digits is hidden whole."""
    if len(phone) < 7:
        return "*" * len(phone)
    return phone[:3] + "*" * (len(phone) - 7) + phone[-4:]


def mask_text(text: str, *, whole: bool = False) -> str:
    """Hide mobile, landline and identity numbers inside free text; `whole`: every digit of them."""
    for pattern, *ends in _NUMBERS:
        head, tail = (0, 0) if whole else ends
        for found in reversed(list(pattern.finditer(text.translate(_FOLD)))):
            start, end = found.span("n" if "n" in pattern.groupindex else 0)
            text = text[:start] + _stars(text[start:end], head, tail) + text[end:]
    return text


def _stars(number: str, head: int, tail: int) -> str:
    """The digits between head and tail as stars; what separates them stays."""
    places = [place for place, sign in enumerate(number) if sign.isalnum()]
    hidden = set(places[head : len(places) - tail])
    return "".join("*" if place in hidden else sign for place, sign in enumerate(number))
