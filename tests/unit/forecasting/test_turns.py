import pytest

from cripto.forecasting._turns import in_turns


class Work:
    """Items that take ``seconds`` each on a clock of their own, and the rests taken between them."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.rests: list[float] = []

    def run(self, count: int) -> list[int]:
        done = []
        for item in in_turns(range(count), lambda: self.now, self.rests.append):
            self.now += self.seconds
            done.append(item)
        return done


@pytest.mark.parametrize(("seconds", "rests"), [(0.00001, 0), (0.0002, 3), (0.0006, 9)])
def test_a_rest_is_taken_for_each_half_millisecond_of_work(seconds: float, rests: int) -> None:
    work = Work(seconds)
    assert work.run(10) == list(range(10))
    assert len(work.rests) == rests


def test_one_item_is_never_rested_for() -> None:
    work = Work(10.0)
    assert work.run(1) == [0]
    assert work.rests == []
