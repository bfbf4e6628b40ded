"""Keys for tests: the same ones each time, worth nothing to anybody."""

import base64

from cripto.registry import SigningKey

__all__ = ["OURS", "THEIRS", "key"]

# what PKCS #8 (RFC 8410) writes before the 32 bytes of an Ed25519 key
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")


def key(number: int) -> SigningKey:
    """A key whose 32 secret bytes are all ``number``."""
    body = base64.b64encode(_PKCS8 + bytes([number]) * 32).decode()
    return SigningKey.from_pem(f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")


OURS = key(1)
THEIRS = key(2)
