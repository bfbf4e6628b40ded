import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from cripto.errors import InvalidInput, ObjectNotFound, StorageDenied, StorageUnavailable, WriteConflict
from cripto.storage import LocalStore

as_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")


def test_opening_makes_no_folder(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    assert list(store.list("")) == []
    with pytest.raises(ObjectNotFound):
        store.get("a")
    assert not (tmp_path / "store").exists()


def test_the_url_is_that_of_the_folder(tmp_path: Path) -> None:
    assert LocalStore(tmp_path / "a store").url == (tmp_path / "a store").as_uri()


def test_an_object_is_a_file_of_that_name(tmp_path: Path) -> None:
    LocalStore(tmp_path).put("models/a.bin", b"1")
    assert (tmp_path / "models" / "a.bin").read_bytes() == b"1"


def test_a_link_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    store = LocalStore(tmp_path / "store")
    store.put("own", b"1")
    (tmp_path / "store" / "folder").symlink_to(tmp_path / "outside")
    (tmp_path / "store" / "file").symlink_to(tmp_path / "outside" / "secret")
    assert [item.key for item in store.list("")] == ["own"]
    for key in ("folder/secret", "file"):
        for call in (
            lambda key=key: store.get(key),
            lambda key=key: store.put(key, b"2"),
            lambda key=key: store.create(key, b"2"),
            lambda key=key: store.replace(key, b"2", "tag"),
            lambda key=key: store.delete(key),
        ):
            with pytest.raises(StorageDenied, match="symbolic link"):
                call()
    with pytest.raises(StorageDenied, match="symbolic link"):
        list(store.list("folder/"))
    assert (tmp_path / "outside" / "secret").read_bytes() == b"secret"


def test_a_store_behind_a_link_works(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    LocalStore(tmp_path / "link").put("a", b"1")
    assert (tmp_path / "real" / "a").read_bytes() == b"1"


def test_what_a_killed_writer_left_is_never_listed(tmp_path: Path) -> None:
    script = (
        "import os, sys, signal\n"
        "from pathlib import Path\n"
        "from cripto.storage import LocalStore\n"
        "os.fsync = lambda descriptor: os.kill(os.getpid(), signal.SIGKILL)\n"
        "LocalStore(Path(sys.argv[1])).put('models/a', b'half')\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.name[0] for path in (tmp_path / "models").iterdir()] == ["."]
    store = LocalStore(tmp_path)
    assert list(store.list("")) == []
    store.create("models/a", b"whole")
    assert [item.key for item in store.list("")] == ["models/a"]


def test_a_failed_write_leaves_no_temporary_file(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.create("a", b"1")
    with pytest.raises(WriteConflict):
        store.create("a", b"2")
    assert {path.name for path in tmp_path.iterdir()} <= {"a", ".lock"}


def test_names_that_are_no_keys_are_passed_over(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("a", b"1")
    (tmp_path / "with space").write_bytes(b"")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "b").write_bytes(b"")
    assert [item.key for item in store.list("")] == ["a"]


def test_an_object_cannot_lie_under_an_object(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    store.put("a", b"1")
    store.put("folder/b", b"1")
    for key in ("a/b", "a/b/c", "folder"):
        with pytest.raises(InvalidInput):
            store.put(key, b"2")
        with pytest.raises(InvalidInput):
            store.create(key, b"2")
    assert store.get("a").data == b"1"


def test_a_name_too_long_for_the_disk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="too long"):
        LocalStore(tmp_path).put("x" * 400, b"1")


def test_a_lock_that_is_never_given_back_is_unavailable(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, lock_seconds=0.05)
    with FileLock(tmp_path / ".lock"), pytest.raises(StorageUnavailable, match="locked"):
        store.put("a", b"1")
    store.put("a", b"1")


def test_reading_needs_no_lock(tmp_path: Path) -> None:
    store = LocalStore(tmp_path, lock_seconds=0.05)
    store.put("a", b"1")
    with FileLock(tmp_path / ".lock"):
        assert store.get("a").data == b"1"
        assert [item.key for item in store.list("")] == ["a"]


@as_user
def test_a_folder_without_permission_is_denied(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.put("a", b"1")
    (tmp_path / "store").chmod(0o500)
    try:
        with pytest.raises(StorageDenied):
            store.put("b", b"1")
    finally:
        (tmp_path / "store").chmod(0o700)


def test_a_full_disk_is_unavailable_and_leaves_what_was(tmp_path: Path) -> None:
    script = (
        "import os, sys, errno\n"
        "from pathlib import Path\n"
        "from cripto.errors import StorageUnavailable\n"
        "from cripto.storage import LocalStore\n"
        "def full(descriptor):\n"
        "    raise OSError(errno.ENOSPC, 'No space left on device')\n"
        "os.fsync = full\n"
        "try:\n"
        "    LocalStore(Path(sys.argv[1])).put('a', b'2')\n"
        "except StorageUnavailable as error:\n"
        "    print(error)\n"
    )
    store = LocalStore(tmp_path)
    store.put("a", b"1")
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert "No space left" in done.stdout
    assert store.get("a").data == b"1"


COUNT_UP = """
import sys
from pathlib import Path
from cripto.errors import WriteConflict
from cripto.storage import LocalStore
store, won = LocalStore(Path(sys.argv[1])), 0
while won < 25:
    held = store.get("counter")
    try:
        store.replace("counter", str(int(held.data) + 1).encode(), held.etag)
        won += 1
    except WriteConflict:
        pass
"""


def test_processes_that_replace_lose_no_update(tmp_path: Path) -> None:
    LocalStore(tmp_path).create("counter", b"0")
    workers = [subprocess.Popen([sys.executable, "-c", COUNT_UP, str(tmp_path)]) for _ in range(3)]
    assert [worker.wait(timeout=240) for worker in workers] == [0, 0, 0]
    assert LocalStore(tmp_path).get("counter").data == b"75"


def test_a_disk_without_links_still_creates_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "no links here", str(target))

    monkeypatch.setattr("os.link", refuse)
    store = LocalStore(tmp_path)
    store.create("a", b"1")
    with pytest.raises(WriteConflict):
        store.create("a", b"2")
    assert store.get("a").data == b"1"


def test_a_folder_refused_by_the_system_is_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    store = LocalStore(tmp_path)
    store.put("a", b"1")
    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(StorageDenied, match="permission denied"):
        list(store.list(""))
