"""The CPU limit, read from control groups as kernels and container runtimes lay them out."""

import os
from pathlib import Path

import pytest

from cripto.cli.cpus import THREAD_VARIABLES, cpu_limit, pin_threads, share_threads, thread_counts

POD = "kubepods.slice/kubepods-burstable.slice/kubepods-pod1.slice/cri-containerd-2.scope"
V1 = "4:memory:/x\n3:cpuset:/\n2:cpu,cpuacct:/kubepods/pod1/c2\n0::/\n"


def machine(root: Path, cgroup: str | None, files: dict[str, str]) -> Path:
    (root / "proc/self").mkdir(parents=True)
    if cgroup is not None:
        (root / "proc/self/cgroup").write_text(cgroup)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("cgroup", "files", "limit"),
    [
        pytest.param("0::/\n", {"cpu.max": "100000 100000\n"}, 1, id="v2, in a container"),
        pytest.param("0::/\n", {"cpu.max": "max 100000\n"}, 16, id="v2, no limit"),
        pytest.param("0::/\n", {}, 16, id="v2, the top of a machine has no file"),
        pytest.param("0::/\n", {"cpu.max": "150000 100000\n"}, 2, id="a part of a CPU counts as one"),
        pytest.param("0::/\n", {"cpu.max": "5000 100000\n"}, 1, id="never none"),
        pytest.param("0::/\n", {"cpu.max": "6400000 100000\n"}, 16, id="more than there are"),
        pytest.param(
            f"0::/{POD}\n",
            {
                f"{POD}/cpu.max": "400000 100000",
                "kubepods.slice/cpu.max": "200000 100000",
                "cpu.max": "max 100000",
            },
            2,
            id="v2, a group above allows less",
        ),
        pytest.param(f"0::/{POD}\n", {"cpu.max": "300000 100000"}, 3, id="v2, named as the host sees it"),
        pytest.param("0::/../../c1\n", {"cpu.max": "300000 100000"}, 3, id="v2, named from a sibling's namespace"),
        pytest.param("0::/a:b\n", {"a:b/cpu.max": "300000 100000"}, 3, id="a colon in a name"),
        pytest.param(
            V1,
            {
                "cpu/kubepods/pod1/c2/cpu.cfs_quota_us": "250000",
                "cpu/kubepods/pod1/c2/cpu.cfs_period_us": "100000",
            },
            3,
            id="v1",
        ),
        pytest.param(
            V1,
            {"cpu,cpuacct/cpu.cfs_quota_us": "50000", "cpu,cpuacct/cpu.cfs_period_us": "25000"},
            2,
            id="v1, mounted under both names, named as the host sees it",
        ),
        pytest.param(
            V1,
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            16,
            id="v1, no limit",
        ),
        pytest.param(
            "3:cpuset:/\n2:cpuacct:/\n",
            {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"},
            16,
            id="v1, the process is in no group of that controller",
        ),
        pytest.param(
            "1:cpu:/\n0::/unified\n",
            {"unified/unified/cpu.max": "100000 100000", "cpu/cpu.cfs_quota_us": "-1"},
            1,
            id="both versions at once",
        ),
        pytest.param(None, {"cpu.max": "100000 100000"}, 16, id="no proc"),
        pytest.param("rubbish\n\n0:\n", {"cpu.max": "100000 100000"}, 16, id="rubbish in proc"),
        *(
            pytest.param("0::/\n", {"cpu.max": text}, 16, id=f"rubbish: {text!r}")
            for text in (
                "",
                "max",
                "100000",
                "100000 0",
                "0 100000",
                "-1 100000",
                "1e5 1e5",
                "²00000 100000",
                "\xff",
            )
        ),
    ],
)
def test_the_limit_is_the_least_that_any_group_allows(
    tmp_path: Path, cgroup: str | None, files: dict[str, str], limit: int
) -> None:
    assert cpu_limit(machine(tmp_path, cgroup, files), cores=16) == limit


def test_without_any_group_it_is_what_the_process_may_run_on(tmp_path: Path) -> None:
    assert cpu_limit(tmp_path) == len(os.sched_getaffinity(0))


def test_threads_are_pinned_where_nobody_has_said_how_many() -> None:
    environ = {"POLARS_MAX_THREADS": "7", "PATH": "/bin"}
    pin_threads(environ, 3)
    assert environ.pop("PATH") == "/bin"
    assert environ == thread_counts(environ) == {**dict.fromkeys(THREAD_VARIABLES, "3"), "POLARS_MAX_THREADS": "7"}


@pytest.mark.parametrize(("limit", "processes", "each"), [(8, 2, "4"), (3, 2, "1"), (2, 8, "1")])
def test_several_processes_share_the_threads(limit: int, processes: int, each: str) -> None:
    environ = {"POLARS_MAX_THREADS": "7"}
    pin_threads(environ, limit)
    share_threads(environ, limit, processes)
    assert environ == {**dict.fromkeys(THREAD_VARIABLES, each), "POLARS_MAX_THREADS": "7"}
