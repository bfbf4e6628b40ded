"""Keys in the environment: every form of them that is read, and what is said, and not said, of every other."""

from pathlib import Path

import pytest

from cripto.cli.wiring import installation
from cripto.errors import InvalidSettings
from tests.doubles.keys import OURS, THEIRS
from tests.unit.cli.conftest import Command


def in_a_file(folder: Path, text: str) -> str:
    path = folder / "key.pem"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("form", ["text", "env file", "file", "home"])
def test_a_key_is_pem_text_or_the_path_of_it(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, text in (("CRIPTO_SIGNING_KEY", OURS.to_pem()), ("CRIPTO_PUBLIC_KEY", OURS.public.to_pem())):
        (tmp_path / name).write_text(text)
        values = {"text": text, "env file": text.strip().replace("\n", "\\n"), "file": str(tmp_path / name)}
        monkeypatch.setenv(name, values.get(form, f"~/{name}"))
    monkeypatch.setenv("CRIPTO_REQUIRE_SIGNATURE", "true")
    parts = installation()
    assert parts.signer == OURS
    assert parts.trust.keys == (OURS.public,)
    assert parts.trust.required


def test_without_keys_nobody_signs_and_nothing_is_checked() -> None:
    parts = installation()
    assert parts.signer is None
    assert (parts.trust.keys, parts.trust.required) == ((), False)


def test_several_public_keys_are_trusted_while_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = OURS.public.to_pem() + THEIRS.public.to_pem()
    monkeypatch.setenv("CRIPTO_PUBLIC_KEY", in_a_file(tmp_path, text))
    assert installation().trust.keys == (OURS.public, THEIRS.public)


SECRET = OURS.to_pem().splitlines()[1]


@pytest.mark.parametrize("name", ["CRIPTO_SIGNING_KEY", "CRIPTO_PUBLIC_KEY"])
@pytest.mark.parametrize(
    "value",
    [
        SECRET,
        OURS.to_pem()[:80],
        "/no/such/file-of-keys",
        "/",
        "x" * 5000,
        "~nobody-of-that-name/key.pem",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
    ],
)
def test_what_is_no_key_is_named_and_never_shown(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=f"^{name}: ") as caught:
        installation()
    assert value not in str(caught.value)
    assert SECRET[:20] not in str(caught.value)


def test_each_half_of_a_key_is_refused_in_the_place_of_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRIPTO_PUBLIC_KEY", OURS.to_pem())
    with pytest.raises(InvalidSettings, match=r"^CRIPTO_PUBLIC_KEY: it holds a private key") as caught:
        installation()
    assert SECRET not in str(caught.value)
    monkeypatch.delenv("CRIPTO_PUBLIC_KEY")
    monkeypatch.setenv("CRIPTO_SIGNING_KEY", OURS.public.to_pem())
    with pytest.raises(InvalidSettings, match=r"^CRIPTO_SIGNING_KEY: it is a public key"):
        installation()


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"A" * 70_000, b"no key"])
def test_a_file_without_a_key_is_refused(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(data)
    monkeypatch.setenv("CRIPTO_SIGNING_KEY", str(path))
    with pytest.raises(InvalidSettings, match=r"^CRIPTO_SIGNING_KEY: "):
        installation()


@pytest.mark.parametrize("command", ["models list", "candles check", "doctor", "serve", "train"])
def test_a_key_that_cannot_be_used_stops_every_command_at_start(
    cripto: Command, store: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRIPTO_SIGNING_KEY", SECRET)
    result = cripto(*command.split())
    assert result.code == 3
    assert "CRIPTO_SIGNING_KEY" in result.err
    assert SECRET not in result.err + result.out
