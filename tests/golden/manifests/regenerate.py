"""Writes the signed golden files again: ``python -m tests.golden.manifests.regenerate``, for a new format only.

The key is made for that one run and forgotten, so every file that it signed changes with it. Manifest and
pointer stay those that are committed; what an earlier format wrote is kept beside what a new one writes.
"""

from pathlib import Path

from cripto.registry import Channel, SigningKey
from cripto.registry.signature_file import MANIFEST_PURPOSE, SignatureFile
from cripto.storage import MemoryStore

__all__ = ["CHANNEL", "MANIFEST", "PUBLIC_KEY", "SIGNATURES", "main"]

FOLDER = Path(__file__).parent
MANIFEST = FOLDER / "manifest_1.json"
SIGNATURES = FOLDER / "manifest_1.sig"
CHANNEL = FOLDER / "channel_2.json"
PUBLIC_KEY = FOLDER / "public_key.pem"


def main() -> None:
    key, store = SigningKey.generate(), MemoryStore()
    SignatureFile(store, "sig").add(key.sign(MANIFEST_PURPOSE, MANIFEST.read_bytes()))
    SIGNATURES.write_bytes(store.get("sig").data)
    pointer = Channel.from_bytes((FOLDER / "channel_1.json").read_bytes(), "")
    CHANNEL.write_bytes(pointer.signed("1d", key).to_bytes())
    PUBLIC_KEY.write_text(key.public.to_pem())


if __name__ == "__main__":
    main()
