import asyncio
import os
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
        return await aside(lambda: goes_on.wait(30))

    assert asyncio.run(main())


def test_work_nobody_waits_for_any_more_ends_by_itself() -> None:
    started, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        may_end.wait(30)
        ended.set()

    async def main() -> None:
        task = asyncio.create_task(aside(work))
        await asyncio.to_thread(started.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())  # the loop is closed while the work goes on
    may_end.set()
    assert ended.wait(30)
