"""Signs and verifies session cookies as itsdangerous does with Flask's settings, only sooner.

The derived key is the same for every cookie, so it is derived once per secret; itsdangerous would
derive it for each signature, which costs as much as everything else that a session needs.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from typing import Any

from itsdangerous import BadData, TimestampSigner
from itsdangerous.signer import Signer

from ctxsim.runtime import session_json

_SALT = b"cookie-session"
# Compressing takes longer than everything else here, and below this size saves nothing worth it.
_COMPRESS_FROM_BYTES = 100
_COMPRESSED = b"."
# RFC 4648, 5: the alphabet that needs no quoting in a cookie.
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


# RFC 2104: how the key goes into the two hashes of an HMAC with SHA-1.
_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))


class _Mac:
    """An HMAC's two hashes with the key in them: copying them is a third of starting anew."""

    def __init__(self, key: bytes) -> None:
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha1(block.translate(_INNER))
        self._outer = hashlib.sha1(block.translate(_OUTER))

    def signature(self, value: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(value)
        outer.update(inner.digest())
        return _encoded(outer.digest())


def _mac(secret: str | bytes) -> _Mac:
    signer = Signer(secret, salt=_SALT, key_derivation="hmac", digest_method=hashlib.sha1)
    return _Mac(signer.derive_key(secret))


class CookieSigner:
    """Turns a session's content into a cookie and back.

    `secrets` are old ones first; the last signs, all verify.
    """

    def __init__(self, secrets: Sequence[str | bytes]) -> None:
        # The one that signs comes first, because most cookies are its own.
        self._macs = [_mac(secret) for secret in reversed(secrets)]
        self._clock = TimestampSigner(secrets[-1])

    def now_s(self) -> int:
        """Give the time that a signature made now would carry, in seconds since 1970."""
        return self._clock.get_timestamp()

    def dumps(self, content: dict[str, Any]) -> str:
        """Write and sign a session's content."""
        text = session_json.dumps(content).encode()
        payload = _encoded(text)
        if len(text) >= _COMPRESS_FROM_BYTES:
            packed = zlib.compress(text)
            if len(packed) < len(text) - 1:
                payload = _COMPRESSED + _encoded(packed)
        moment = self.now_s().to_bytes(8, "big").lstrip(b"\0")
        signed = payload + b"." + _encoded(moment)
        return (signed + b"." + self._macs[0].signature(signed)).decode("ascii")

    def loads(self, value: str, limit_s: int) -> dict[str, Any] | None:
        """Read a cookie's content; None where it was not signed here, is too old, or garbled."""
        try:
            payload = self._payload(value.encode("ascii"), limit_s)
            if payload is None:
                return None
            content = session_json.loads(_text(payload))
        except (BadData, ValueError, zlib.error):
            return None
        return content if isinstance(content, dict) else None

    def _payload(self, value: bytes, limit_s: int) -> bytes | None:
        # What TimestampSigner.unsign does, without decoding the signature.
        signed, _, signature = value.rpartition(b".")
        payload, _, moment = signed.rpartition(b".")
        for mac in self._macs:
            if hmac.compare_digest(mac.signature(signed), signature):
                break
        else:
            return None
        age_s = self.now_s() - int.from_bytes(_decoded(moment), "big")
        return payload if 0 <= age_s <= limit_s else None


def _encoded(raw: bytes) -> bytes:
    return b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=")


def _decoded(text: bytes) -> bytes:
    # More padding than is needed does no harm, and less would be an error.
    return a2b_base64(text.translate(_FROM_URL) + b"==")


def _text(payload: bytes) -> str:
    if payload.startswith(_COMPRESSED):
        return zlib.decompress(_decoded(payload[1:])).decode()
    return _decoded(payload).decode()
