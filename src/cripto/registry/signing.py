"""Ed25519 signatures: who vouches for a manifest or a pointer, and whom this installation believes.

What is signed is a purpose, a zero byte and the data, so that a signature made for one thing says nothing of
another. cryptography is imported when a key is used: the conversion child imports this room and holds no key.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cripto.errors import InvalidInput
from cripto.registry._pem import pem_blocks

__all__ = [
    "ANYONE",
    "MOST_SIGNATURES",
    "PublicKey",
    "Signature",
    "SigningKey",
    "Trust",
    "read_public_keys",
    "signatures_from_json",
    "signatures_to_json",
]

MOST_SIGNATURES = 16
"""No object carries more signatures than this."""

_ALGORITHM = "ed25519"
_KEY_BYTES, _SIGNATURE_BYTES = 32, 64
_KEY_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Signature:
    """The id of the key that is said to have signed, and its 64 bytes."""

    key_id: str
    value: bytes


@dataclass(frozen=True, slots=True, repr=False)
class PublicKey:
    """An Ed25519 public key by its 32 bytes; raise `InvalidInput` for any other number of them."""

    raw: bytes

    def __post_init__(self) -> None:
        if len(self.raw) != _KEY_BYTES:
            raise InvalidInput(f"an Ed25519 public key is {_KEY_BYTES} bytes long")

    @property
    def key_id(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the raw key."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @classmethod
    def from_pem(cls, text: str) -> "PublicKey":
        """Read one SubjectPublicKeyInfo block; raise `InvalidInput` for anything else."""
        keys = read_public_keys(text)
        if len(keys) != 1:
            raise InvalidInput(f"there are {len(keys)} public keys in it, not one")
        return keys[0]

    def to_pem(self) -> str:
        """The key as PEM, SubjectPublicKeyInfo."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def verifies(self, purpose: str, data: bytes, signature: Signature) -> bool:
        """Whether this key made ``signature`` of ``data`` for ``purpose``, whatever key it claims."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature.value, _message(purpose, data))
        except InvalidSignature:
            return False
        return True

    def __repr__(self) -> str:
        return f"PublicKey({self.key_id})"


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """An Ed25519 private key. ``repr`` shows the id of its public key, never the key."""

    _seed: bytes

    @classmethod
    def generate(cls) -> "SigningKey":
        """A new key, from the system's source of randomness."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def from_pem(cls, text: str) -> "SigningKey":
        """Read one unencrypted PKCS #8 block; raise `InvalidInput`, which never quotes it, for anything else."""
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        blocks = pem_blocks(text)
        if len(blocks) != 1:
            raise InvalidInput(f"there are {len(blocks)} keys in it, not one")
        label, block = blocks[0]
        if label.startswith("ENCRYPTED"):
            raise InvalidInput("it is encrypted, and nobody is here to type a passphrase")
        if label.endswith("PUBLIC KEY"):
            raise InvalidInput("it is a public key, where the private one is needed")
        if label != "PRIVATE KEY":
            raise InvalidInput(f"{label} is not the PEM block of a PKCS #8 private key")
        try:
            key = load_pem_private_key(block, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise InvalidInput("it is not a private key that can be read") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise InvalidInput("it is not an Ed25519 key")
        return cls(key.private_bytes_raw())

    @property
    def public(self) -> PublicKey:
        """The key that verifies what this one signs."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return PublicKey(Ed25519PrivateKey.from_private_bytes(self._seed).public_key().public_bytes_raw())

    def to_pem(self) -> str:
        """The secret itself, as PEM: PKCS #8, unencrypted."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        key = Ed25519PrivateKey.from_private_bytes(self._seed)
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def sign(self, purpose: str, data: bytes) -> Signature:
        """Sign ``data`` for ``purpose`` (ASCII, without a zero byte): same key, same data, same signature."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        key = Ed25519PrivateKey.from_private_bytes(self._seed)
        return Signature(self.public.key_id, key.sign(_message(purpose, data)))

    def __repr__(self) -> str:
        return f"SigningKey({self.public.key_id})"


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures count here, and whether there must be one. Without keys nothing is checked.

    Raises `InvalidInput` if a signature is required and no key could have made it.
    """

    keys: tuple[PublicKey, ...] = field(default=())
    required: bool = False

    def __post_init__(self) -> None:
        if self.required and not self.keys:
            raise InvalidInput("signatures are required and no key is trusted")

    def check(self, purpose: str, data: bytes, signatures: Iterable[Signature]) -> str | None:
        """The id of a trusted key that signed ``data`` for ``purpose``, or ``None`` where none has to.

        Raises `InvalidInput` with the reason if a signature that claims a trusted key is not valid, whatever
        the others are, or if one is required and no trusted key signed.
        """
        trusted = {key.key_id: key for key in self.keys}
        signed_by, foreign = None, []
        for signature in signatures:
            key = trusted.get(signature.key_id)
            if key is None:
                foreign.append(signature.key_id)
            elif not key.verifies(purpose, data, signature):
                raise InvalidInput(f"its signature by {signature.key_id} is not valid")
            else:
                signed_by = signed_by or signature.key_id
        if signed_by is None and self.required:
            if foreign:
                raise InvalidInput(f"it is signed by {', '.join(foreign)}, none of which is trusted here")
            raise InvalidInput("it is not signed")
        return signed_by

    def optional(self) -> "Trust":
        """The same keys, and nothing required: for looking at what may yet have to be signed."""
        return Trust(self.keys)


ANYONE = Trust()
"""Checks nothing: who can write to the store is who is trusted."""


def read_public_keys(text: str) -> tuple[PublicKey, ...]:
    """Every public key in PEM ``text``, each once; raise `InvalidInput` if there is none or one is unusable."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    keys = []
    for label, block in pem_blocks(text):
        if label.endswith("PRIVATE KEY"):
            raise InvalidInput("it holds a private key, where public ones are needed")
        if label != "PUBLIC KEY":
            raise InvalidInput(f"{label} is not the PEM block of a public key")
        try:
            key = load_pem_public_key(block)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise InvalidInput("it holds a public key that cannot be read") from error
        if not isinstance(key, Ed25519PublicKey):
            raise InvalidInput("it holds a key that is not an Ed25519 key")
        keys.append(PublicKey(key.public_bytes_raw()))
    return tuple(dict.fromkeys(keys))


def signatures_to_json(signatures: Iterable[Signature]) -> list[dict[str, str]]:
    """Signatures as JSON values; raise `InvalidInput` for more than are ever read."""
    items = [
        {
            "algorithm": _ALGORITHM,
            "key_id": signature.key_id,
            "signature": base64.b64encode(signature.value).decode(),
        }
        for signature in signatures
    ]
    if len(items) > MOST_SIGNATURES:
        raise InvalidInput(f"it would carry more than {MOST_SIGNATURES} signatures")
    return items


def signatures_from_json(items: Any) -> tuple[Signature, ...]:
    """Read `signatures_to_json`'s form; raise `InvalidInput` if it is malformed, too long or names a key twice."""
    if not isinstance(items, list) or len(items) > MOST_SIGNATURES:
        raise InvalidInput(f"the signatures are not a list of {MOST_SIGNATURES} at most")
    signatures = tuple(map(_signature, items))
    if len({signature.key_id for signature in signatures}) != len(signatures):
        raise InvalidInput("there are two signatures by one key")
    return signatures


def _signature(item: Mapping[str, Any]) -> Signature:
    try:
        algorithm, key_id = item["algorithm"], item["key_id"]
        value = base64.b64decode(item["signature"], validate=True)
        sound = algorithm == _ALGORITHM and _KEY_ID.fullmatch(key_id) and len(value) == _SIGNATURE_BYTES
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise InvalidInput("a signature is malformed") from error
    if not sound:
        raise InvalidInput("a signature is malformed, or of another kind than ed25519")
    return Signature(key_id, value)


def _message(purpose: str, data: bytes) -> bytes:
    return purpose.encode("ascii") + b"\0" + data
