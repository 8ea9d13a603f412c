"""Personal data: masked for eyes, sealed for storage."""

import base64
import hashlib
import hmac
import os
import re
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tongban_common.errors import Refusal

# One sign for one sign, so that a place in the folded text is that place in the text: Chinese
# numerals, X in its disguises, dashes, and spaces that are wide or unseen.
_FOLD = {ord(sign): str(at) for at, sign in enumerate("零一二三四五六七八九")}
_FOLD |= {ord(sign): digit for sign, digit in zip("\u3007幺两", "012", strict=True)}
_FOLD |= dict.fromkeys(map(ord, "\uff38\uff58\u0425\u0445\xd7"), "X")
_FOLD |= dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0x2500, 0x30FC, 0xFF0D), "-")
_FOLD |= dict.fromkeys((0xA0, 0x1680, 0x202F, 0x205F, 0x2060, 0x3000, 0xFEFF), " ")
_FOLD |= dict.fromkeys(range(0x2000, 0x200E), " ")
_FOLD |= {0xFF08: "(", 0xFF09: ")", 0xFF0E: ".", 0xB7: ".", 0xFF0B: "+"}
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")  # of any other script, full-width ones among them
_GAP = "[ -]{0,2}"  # what people put between the digits of one number
_NUMBER = re.compile(r"\d(?:[ .()-]{0,3}\d){6}")  # nothing shorter leads to anybody
# What in free text leads to a person, with how many digits at its ends stay readable. What stands
# among hexadecimal letters is part of an id.
_IDENTITY = (
    rf"(?<!\d)[1-9](?:{_GAP}\d){{5}}{_GAP}(?:1{_GAP}[89]|2{_GAP}0)(?:{_GAP}\d){{2}}"
    rf"{_GAP}(?:0{_GAP}[1-9]|1{_GAP}[0-2]){_GAP}[0-3](?:{_GAP}\d){{4}}{_GAP}[\dXx](?!\d)"
)
_PROVINCE = "(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[12]|91)"
_FIRST_IDENTITY = (  # of fifteen digits, given out until 1999
    rf"(?<!\d){_PROVINCE}\d{{4}}{_GAP}\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]){_GAP}\d{{3}}(?!\d)"
)
_MOBILE = (
    rf"(?<![0-9a-f])(?:\+?86{_GAP})?"
    rf"(?P<n>1{_GAP}[3-9](?:{_GAP}\d){{9}}|1[3-9]\d\.\d{{4}}\.\d{{4}})(?![0-9a-f])"
)
_LANDLINE = (
    rf"(?<![0-9a-f])(?P<n>(?:0\d{{2,3}}|(?<=\+86)\d{{2,3}}|(?<=\+86[ -])\d{{2,3}})"
    rf"\)?{_GAP}\d{{3,4}}{_GAP}\d{{4}})(?![0-9a-f])"
)
_LOCAL = (  # no area code: only where it is called a phone
    r"(?:电话|座机|固话|手机|号码|联系方式|联系我|致电|来电|[Tt]el|TEL)[号码为是:：)\s]{0,4}"
    rf"(?P<n>[2-9]\d{{2,3}}{_GAP}\d{{4}})(?!\d)"
)
_NUMBERS = (
    (re.compile(_IDENTITY), 6, 1),
    (re.compile(_FIRST_IDENTITY), 6, 1),
    (re.compile(_MOBILE), 3, 4),
    (re.compile(_LANDLINE), 3, 4),
    (re.compile(_LOCAL), 0, 4),
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
        return self.seal_bytes(value.encode(), context=context)

    def open(self, sealed: bytes, *, context: str) -> str:
        """Raises SealBroken when the value was altered, moved, or sealed under another secret."""
        return self.open_bytes(sealed, context=context).decode()

    def seal_bytes(self, value: bytes, *, context: str) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._cipher.encrypt(nonce, value, context.encode())

    def open_bytes(self, sealed: bytes, *, context: str) -> bytes:
        """Raises SealBroken, as `open` does."""
        try:
            return self._cipher.decrypt(sealed[:12], sealed[12:], context.encode())
        except (InvalidTag, ValueError) as fault:  # the latter: too short to be sealed
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
    """Hide mobile, landline and identity numbers inside free text; `whole`: every digit of them.

    As they are written by hand: in any digits, with spaces and dashes inside, in groups or not. The
    masked text is as long as it was.
    """
    folded = _OTHER_DIGIT.sub(lambda found: str(unicodedata.decimal(found[0])), text)
    folded = folded.translate(_FOLD)
    if _NUMBER.search(folded) is None:
        return text
    for pattern, *ends in _NUMBERS:
        head, tail = (0, 0) if whole else ends
        for found in reversed(list(pattern.finditer(folded))):
            start, end = found.span("n" if "n" in pattern.groupindex else 0)
            hidden = _hidden(folded, start, end, head, tail)
            text = _starred(text, hidden)
            folded = _starred(folded, hidden)
    return text


def _hidden(folded: str, start: int, end: int, head: int, tail: int) -> list[int]:
    """The places of the digits between head and tail; what separates them stays."""
    places = [place for place in range(start, end) if folded[place].isalnum()]
    return places[head : len(places) - tail]


def _starred(text: str, places: list[int]) -> str:
    signs = list(text)
    for place in places:
        signs[place] = "*"
    return "".join(signs)
