import json
import os
import shlex
import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cripto.market.lake import open_lake
from cripto.registry import PublicKey, SigningKey
from tests.doubles.candles import random_walk
from tests.doubles.keys import OURS, THEIRS
from tests.doubles.processes import command
from tests.unit.cli.conftest import Command

VERSION = "20250729-2130"


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our key is trusted, and a signature required."""
    monkeypatch.setenv("CRIPTO_PUBLIC_KEY", OURS.public.to_pem())
    monkeypatch.setenv("CRIPTO_REQUIRE_SIGNATURE", "true")


@pytest.fixture
def signing(strict: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `strict`, and we hold the private key."""
    monkeypatch.setenv("CRIPTO_SIGNING_KEY", OURS.to_pem())


def folder(store: str) -> Path:
    return Path(urlsplit(store).path) / "models" / "releases" / VERSION


def test_a_new_key_is_written_for_its_owner_alone(cripto: Command, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    before = os.umask(0)
    try:
        result = cripto("models", "keygen", "--out", path, "--json")
    finally:
        os.umask(before)
    assert result.code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key, told = SigningKey.from_pem(path.read_text()), json.loads(result.out)
    assert told["key_id"] == key.public.key_id
    assert PublicKey.from_pem(told["public_key"]) == key.public
    assert told["file"] == str(path)


def test_the_lines_to_export_are_lines_a_shell_and_the_settings_understand(
    cripto: Command, filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = cripto("models", "keygen", "--out", tmp_path / "a key.pem")
    lines = [line.removeprefix("export ") for line in result.out.splitlines() if line.startswith("export ")]
    for line in lines:
        name, _, value = shlex.split(line)[0].partition("=")
        monkeypatch.setenv(name, value)
    assert [line.partition("=")[0] for line in lines] == ["CRIPTO_SIGNING_KEY", "CRIPTO_PUBLIC_KEY"]
    assert cripto("models", "sign", VERSION).code == 0
    assert "signed by" in cripto("models", "verify", VERSION).out


def test_the_secret_is_never_printed(cripto: Command, tmp_path: Path) -> None:
    for name, more in (("a.pem", ()), ("b.pem", ("--json",))):
        result = cripto("models", "keygen", "--out", tmp_path / name, *more)
        assert (tmp_path / name).read_text().splitlines()[1] not in result.out + result.err


@pytest.mark.parametrize("there", ["file", "link", "folder"])
def test_a_key_is_never_written_over_anything(cripto: Command, tmp_path: Path, there: str) -> None:
    path, target = tmp_path / "key.pem", tmp_path / "elsewhere"
    if there == "file":
        path.write_text("precious")
    elif there == "link":
        path.symlink_to(target)
    else:
        path.mkdir()
    result = cripto("models", "keygen", "--out", path)
    assert result.code == 2
    assert "never written over" in result.err
    assert not target.exists()
    if there == "file":
        assert path.read_text() == "precious"


def test_a_folder_that_is_not_there_is_the_callers_fault(cripto: Command, tmp_path: Path) -> None:
    assert cripto("models", "keygen", "--out", tmp_path / "none" / "key.pem").code == 2


def test_an_unsigned_release_is_refused_signed_and_then_promoted(
    cripto: Command, filled: str, signing: None
) -> None:
    listed = json.loads(cripto("models", "list", "--json").out)
    assert listed == {
        "releases": [],
        "joblibs": [],
        "refused": [{"release": VERSION, "reason": "it is not signed"}],
    }
    assert cripto("models", "verify", VERSION).code == 3
    assert cripto("models", "show", VERSION).code == 3

    result = cripto("models", "sign", VERSION, "--json")
    assert json.loads(result.out) == {"release": VERSION, "signatures": [OURS.public.key_id]}
    assert cripto("models", "sign", VERSION).code == 0

    # the pointer was never signed either: it is told, and the release is listed all the same
    listed = json.loads(cripto("models", "list", "--json").out)
    assert [(item["release"], item["signed_by"]) for item in listed["releases"]] == [(VERSION, OURS.public.key_id)]
    assert listed["refused"] == [{"release": "models/channels/production.json", "reason": "it is not signed"}]
    assert not listed["releases"][0]["promoted"]

    promoted = json.loads(cripto("models", "promote", VERSION, "--json").out)
    assert (promoted["sequence"], promoted["signed_by"]) == (2, OURS.public.key_id)
    assert json.loads(cripto("models", "list", "--json").out)["refused"] == []


def test_list_show_and_verify_say_who_signed(cripto: Command, filled: str, signing: None) -> None:
    cripto("models", "sign", VERSION)
    assert OURS.public.key_id in cripto("models", "list").out
    assert f"signed by: {OURS.public.key_id}" in cripto("models", "show", VERSION).out
    assert json.loads(cripto("models", "show", VERSION, "--json").out)["signed_by"] == OURS.public.key_id
    assert f"0 wrong; signed by {OURS.public.key_id}" in cripto("models", "verify", VERSION).out
    assert json.loads(cripto("models", "verify", VERSION, "--json").out)["signed_by"] == OURS.public.key_id


def test_who_signed_is_not_said_where_nobody_was_asked(
    cripto: Command, filled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRIPTO_SIGNING_KEY", OURS.to_pem())
    cripto("models", "sign", VERSION)
    assert json.loads(cripto("models", "verify", VERSION, "--json").out)["signed_by"] is None
    assert "signatures not looked at" in cripto("models", "verify", VERSION).out
    assert "signed by:\n" in cripto("models", "show", VERSION).out
    monkeypatch.setenv("CRIPTO_PUBLIC_KEY", THEIRS.public.to_pem())
    assert "signed by no trusted key" in cripto("models", "verify", VERSION).out


def test_a_release_changed_after_it_was_signed_fails_verify_promote_and_doctor(
    cripto: Command, filled: str, signing: None
) -> None:
    cripto("models", "sign", VERSION)
    cripto("models", "promote", VERSION)
    path = folder(filled) / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"horizon": 1', b'"horizon":  1'))
    for what in ("verify", "promote", "show", "sign"):
        result = cripto("models", what, VERSION)
        assert result.code == 3
        assert f"its signature by {OURS.public.key_id} is not valid" in result.err
    checks = {check["name"]: check for check in json.loads(cripto("doctor", "--json").out)["checks"]}
    assert checks["integrity"]["outcome"] == "failed"
    assert "is not valid" in checks["integrity"]["detail"]


def test_doctor_says_who_signed(cripto: Command, filled: str, signing: None) -> None:
    cripto("models", "sign", VERSION)
    cripto("models", "promote", VERSION)
    checks = {check["name"]: check for check in json.loads(cripto("doctor", "--json").out)["checks"]}
    assert checks["integrity"]["outcome"] == "ok"
    assert f"signed by {OURS.public.key_id}" in checks["integrity"]["detail"]


def test_signing_needs_a_key(cripto: Command, filled: str, strict: None) -> None:
    result = cripto("models", "sign", VERSION)
    assert result.code == 3
    assert "CRIPTO_SIGNING_KEY" in result.err
    assert not (folder(filled) / "manifest.sig").exists()


@pytest.mark.parametrize("command", [("promote", VERSION), ("rollback",)])
def test_a_pointer_is_not_moved_without_a_key_where_one_is_required(
    cripto: Command, filled: str, signing: None, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    cripto("models", "sign", VERSION)
    monkeypatch.delenv("CRIPTO_SIGNING_KEY")
    pointer = Path(urlsplit(filled).path) / "models" / "channels" / "production.json"
    before = pointer.read_bytes()
    result = cripto("models", *command)
    assert result.code == 3
    assert "CRIPTO_SIGNING_KEY" in result.err
    assert pointer.read_bytes() == before


def test_what_could_not_be_signed_is_not_trained(cripto: Command, store: str, strict: None) -> None:
    open_lake(store).upsert(random_walk(["BTC"], 120))
    result = cripto("train")
    assert result.code == 3
    assert "CRIPTO_SIGNING_KEY" in result.err
    assert not folder(store).parent.exists()


def test_up_ends_as_its_training_does(store: str, strict: None, tmp_path: Path) -> None:
    open_lake(store).upsert(random_walk(["BTC"], 120))
    done = command("up", env={"PORT": "0"}, cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.endswith("CRIPTO_SIGNING_KEY gives no key to sign with\n")
    assert not folder(store).parent.exists()


@pytest.mark.slow
def test_a_training_signs_its_release_and_the_pointer(cripto: Command, store: str, signing: None) -> None:
    open_lake(store).upsert(random_walk(["BTC", "ETH", "ADA"], 260))
    result = cripto("train", "--json", "--jobs", "1", "--folds", "2")
    assert result.code == 0, result.err
    (release,) = json.loads(cripto("models", "list", "--json").out)["releases"]
    assert release["release"] == json.loads(result.out)["release"]
    assert release["promoted"]
    assert release["signed_by"] == OURS.public.key_id
