"""Personal data: masked for eyes, sealed for storage."""

import base64
import hashlib
import hmac
import os
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tongban_common.errors import Refusal

_PHONE = re.compile(r"(?<!\d)(1[3-9]\d)\d{4}(\d{4})(?!\d)")
_LANDLINE = re.compile(r"(?<!\d)(0\d{2,3}-?)\d{3,4}(\d{4})(?!\d)")
_ID_NUMBER = re.compile(r"(?<!\d)(\d{6})(?:19|20)\d{9}([\dXx]{2})(?![\dXx])")


class SealBroken(Refusal):
    code = "privacy.seal_broken"


class Sealer:
    """Field encryption (AES-256-GCM) with a key drawn from the service's secret.

    `context` ties a sealed value to its row and column: moved elsewhere it does not open.
    """

    def __init__(self, secret: str) -> None:
        key = hashlib.sha256(b"tongban field seal v1\n" + secret.encode()).digest()
        self._cipher = AESGCM(key)

    def seal(self, value: str, *, context: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, value.encode(), context.encode())

    def open(self, sealed: bytes, *, context: str) -> str:
        """Raises SealBroken when the value was altered, moved, or sealed under another secret."""
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], context.encode()).decode()
        except InvalidTag as fault:
            raise SealBroken("加密字段无法解开：密钥不符或数据被改动") from fault


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


def mask_text(text: str) -> str:
    """Hide mobile, landline and identity numbers inside free text."""
    text = _ID_NUMBER.sub(r"\1**********\2", text)
    text = _PHONE.sub(r"\1****\2", text)
    return _LANDLINE.sub(r"\1****\2", text)
