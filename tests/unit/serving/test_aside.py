import asyncio
import os
import subprocess
import sys
import threading

import pytest

from cripto.serving.aside import aside


def test_work_gives_its_result_or_its_error() -> None:
    def fails() -> None:
        raise LookupError("gone")

    async def main() -> None:
        assert await aside(lambda: 7) == 7
        with pytest.raises(LookupError, match="gone"):
            await aside(fails)

    asyncio.run(main())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives threads priorities of their own")
def test_work_gives_way_and_who_asked_for_it_does_not() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, 0)

    before = priority()
    assert asyncio.run(aside(priority)) >= 10
    assert priority() == before


def test_the_loop_goes_on_while_work_is_done() -> None:
    goes_on = threading.Event()

    async def main() -> bool:
        asyncio.get_running_loop().call_later(0.01, goes_on.set)
        return await aside(lambda: goes_on.wait(120))

    assert asyncio.run(main())


def test_work_nobody_waits_for_any_more_ends_by_itself() -> None:
    started, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        may_end.wait(120)
        ended.set()

    async def main() -> None:
        task = asyncio.create_task(aside(work))
        await asyncio.to_thread(started.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())  # the loop is closed while the work goes on
    may_end.set()
    assert ended.wait(120)


def test_urgent_work_has_the_usual_priority() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, 0)

    assert asyncio.run(aside(priority, urgent=True)) == priority()


def test_threads_of_libraries_give_way_and_pythons_do_not() -> None:
    code = (
        "import os, threading, polars\n"
        "from cripto.serving.aside import libraries_give_way\n"
        "polars.DataFrame({'a': range(9)}).lazy().sort('a').collect()\n"
        "stop = threading.Event(); threading.Thread(target=stop.wait).start()\n"
        "libraries_give_way()\n"
        "ours = {thread.native_id for thread in threading.enumerate()}\n"
        "tasks = map(int, os.listdir('/proc/self/task'))\n"
        "nice = {task: os.getpriority(os.PRIO_PROCESS, task) for task in tasks}\n"
        "assert len(ours) == 2 and nice.keys() > ours, nice\n"
        "usual = {nice[task] for task in ours}; lower = {nice[task] for task in nice.keys() - ours}\n"
        "print(len(usual), max(usual) < min(lower) or max(usual) >= 10); stop.set()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "True"]
