"""``cripto models keygen`` and ``sign``: a key to sign with, and releases that were made without one."""

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from cripto.cli.console import output, print_json
from cripto.cli.options import AsJson, Version
from cripto.cli.wiring import installation
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput

__all__ = ["keygen", "sign"]

_FILE = Path("cripto-signing-key.pem")


def keygen(
    out: Annotated[Path, typer.Option(metavar="FILE", help="File to write the private key to.")] = _FILE,
    as_json: AsJson = False,
) -> None:
    """Make a key to sign releases with: the private one in a file of mode 0600, the public one on the screen.

    Exit code 2 if the file exists or cannot be written; nothing is ever written over.
    """
    from cripto.registry import SigningKey

    key = SigningKey.generate()
    _write_secret(out, key.to_pem())
    public = key.public.to_pem()
    # on one line, which an env file and a manifest can hold too
    exports = {"CRIPTO_SIGNING_KEY": str(out.absolute()), "CRIPTO_PUBLIC_KEY": public.strip().replace("\n", "\\n")}
    if as_json:
        print_json({"key_id": key.public.key_id, "public_key": public, "file": str(out), "exports": exports})
        return
    output.print(f"private key: {out} (keep it from everything that only reads)", markup=False)
    output.print(f"key id: {key.public.key_id}", markup=False)
    output.print(public, markup=False)
    for name, value in exports.items():
        output.print(f"export {name}={shlex.quote(value)}", markup=False)


def sign(version: Version, as_json: AsJson = False) -> None:
    """Add the signature of CRIPTO_SIGNING_KEY to a release, after checking every file of it.

    For releases made without a key, and for a new key beside an old one. Signing twice changes nothing.
    """
    signatures = installation().registry.sign(ReleaseVersion.parse(version))
    key_ids = [signature.key_id for signature in signatures]
    if as_json:
        print_json({"release": version, "signatures": key_ids})
    else:
        output.print(f"release {version} carries the signatures of {', '.join(key_ids)}", markup=False)


def _write_secret(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    except FileExistsError:
        raise InvalidInput(f"{path} exists, and a key is never written over") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}") from error
