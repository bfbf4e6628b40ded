"""Keys from the settings that give them, as PEM text or as the path of a PEM file."""

from pathlib import Path
from typing import TYPE_CHECKING

from cripto.errors import InvalidInput, InvalidSettings

if TYPE_CHECKING:
    from cripto.registry import SigningKey, Trust
    from cripto.settings import Settings

__all__ = ["read_signer", "read_trust"]

_LARGEST_FILE = 1 << 16


def read_trust(settings: "Settings") -> "Trust":
    """Whose signatures count; raise `InvalidSettings`, which names the variable, if the keys cannot be read."""
    from cripto.registry import ANYONE, Trust, read_public_keys

    if settings.public_key is None:
        return ANYONE
    try:
        return Trust(read_public_keys(_text(settings.public_key)), settings.require_signature)
    except InvalidInput as error:
        raise InvalidSettings(f"CRIPTO_PUBLIC_KEY: {error}") from error


def read_signer(settings: "Settings") -> "SigningKey | None":
    """The key to sign with, if there is one; raise `InvalidSettings`, which never quotes it, if it is none."""
    if settings.signing_key is None:
        return None
    from cripto.registry import SigningKey

    try:
        return SigningKey.from_pem(_text(settings.signing_key.get_secret_value()))
    except InvalidInput as error:
        raise InvalidSettings(f"CRIPTO_SIGNING_KEY: {error}") from None


def _text(value: str) -> str:
    """The PEM text: ``value``, or what the file of that name holds. Neither is ever told: it may be a key, cut."""
    if "-----BEGIN" in value:
        return value
    try:
        with Path(value).expanduser().open(encoding="ascii") as file:
            text = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise InvalidInput(f"it is neither PEM text nor a file that can be read: {error.strerror}") from None
    except (ValueError, RuntimeError):  # no text in it, a name that none can have, a home that there is not
        raise InvalidInput("it is neither PEM text nor a file of it") from None
    if len(text) > _LARGEST_FILE:
        raise InvalidInput(f"the file is longer than {_LARGEST_FILE} bytes")
    return text
