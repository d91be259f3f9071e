"""What shared answers look like in a store that others may read or write: names and contents that say nothing.

Everything is derived from one key of the installation. A name is a keyed digest of a request's key, so nobody can tell
who asked what, or look whether somebody has asked something. A content is encrypted with authentication, for its name
alone: what was damaged, forged, or moved from another name cannot be opened.
"""

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12
_FORM = b"\x01"
"""Of sealed contents, so that another one can be told from it."""


class Seal:
    """The installation's key at work."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hashlib.sha256(secret).digest()
        self.installation = self._digest(b"installation", b"")[:6].hex()
        """What tells this key's answers from another's in one store."""

    def name(self, key: bytes) -> str:
        """Name the place of a request's answer."""
        return self._digest(b"name", key)[:24].hex()

    def close(self, name: str, content: bytes) -> bytes:
        """Encrypt what is to stand under a name."""
        nonce = os.urandom(_NONCE)
        return b"".join((_FORM, nonce, self._cipher(name).encrypt(nonce, content, name.encode())))

    def open(self, name: str, sealed: bytes) -> bytes | None:
        """Decrypt what stands under a name; None where it was not closed for it with this key, or is not whole."""
        if not sealed.startswith(_FORM):
            return None
        at = len(_FORM) + _NONCE
        try:
            return self._cipher(name).decrypt(sealed[len(_FORM) : at], sealed[at:], name.encode())
        except (InvalidTag, ValueError):
            return None

    def _cipher(self, name: str) -> AESGCM:
        """Make the cipher of one name: with a key of its own, no number of answers wears the installation's out."""
        return AESGCM(self._digest(b"seal", name.encode()))

    def _digest(self, use: bytes, text: bytes) -> bytes:
        return hmac.digest(self._secret, use + b"\0" + text, "sha256")
