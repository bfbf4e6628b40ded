from pathlib import Path

from cripto.domain.interval import INTERVALS
from cripto.forecasting import Status
from cripto.serving.figures import Counts, Figures, IntervalFigures, combined, figures_of
from cripto.serving.fleet import Fleet
from tests.unit.forecasting.toys import House


def figures(refreshes: int, models: int = 5) -> Figures:
    return Figures((IntervalFigures("1d", models),), counts=Counts(refreshes=refreshes))


def test_the_figures_of_services_are_those_of_their_statuses() -> None:
    house = House("BTC", "ETH")
    house.service.refresh()
    status, found = house.service.status(), figures_of([house.service.status()])
    (daily,) = found.intervals
    assert (found.models, daily.assets, daily.interval, daily.releases) == (5, 2, "1d", ("20250729-2130",))
    assert found.counts == Counts(2, 1, 0, 0)
    assert status.release_created is not None
    assert daily.created == status.release_created.timestamp()
    both = figures_of([house.service.status(), Status(INTERVALS["1h"])])
    assert both == Figures((daily, IntervalFigures("1h")), counts=found.counts)
    assert both.models == 0


def test_counts_add_up_and_of_anything_else_the_worst_is_told() -> None:
    good = IntervalFigures("1d", 5, ("b",), 200.0, 90.0, 80.0, 10, 0, 0, 0)
    poor = IntervalFigures("1d", 0, ("a",), 100.0, 60.0, None, 9, 1, 2, 3)
    other = IntervalFigures("1h", 5, ("c",))
    one = Figures((good, other), 0, Counts(1, 2, 3, 4))
    two = Figures((poor,), 2, Counts(10, 20, 30, 40))
    worst = IntervalFigures("1d", 0, ("a", "b"), 100.0, 60.0, 80.0, 9, 1, 2, 3)
    assert combined([one, two]) == Figures((worst, other), 2, Counts(11, 22, 33, 44))
    assert combined([one]) == one
    assert combined([]) == Figures()


def test_each_process_tells_what_all_have_told(tmp_path: Path) -> None:
    one, two = Fleet(tmp_path, 0), Fleet(tmp_path, 1)
    assert one.figures(figures(3)).counts.refreshes == 3
    assert two.figures(figures(4)).counts.refreshes == 7
    assert one.figures(figures(5)).counts.refreshes == 9


def test_who_takes_the_place_of_another_counts_on(tmp_path: Path) -> None:
    Fleet(tmp_path, 0).tell(figures(3))
    assert Fleet(tmp_path, 0).figures(figures(1)).counts.refreshes == 4
    assert Fleet(tmp_path, 0).figures(figures(0)).counts.refreshes == 4
    assert Fleet(tmp_path, 1).figures(figures(1)).counts.refreshes == 5


def test_what_was_read_earlier_and_told_later_takes_nothing_back(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, 0)
    fleet.tell(figures(3))
    assert fleet.figures(figures(2, models=4)) == figures(3, models=4)


def test_figures_that_cannot_be_read_or_written_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "figures-1.json").write_text("{")
    (tmp_path / "figures-2.json").write_text('{"models": 1}')
    fleet = Fleet(tmp_path, 1)
    assert fleet.figures(figures(3)) == figures(3)
    assert Fleet(tmp_path / "gone", 0).figures(figures(3)) == Figures()


def test_word_of_a_reload_reaches_the_others_once_and_not_who_gave_it(tmp_path: Path) -> None:
    one, two, three = (Fleet(tmp_path, slot) for slot in range(3))
    assert not two.word()
    one.reloaded()
    assert not one.word()
    assert (two.word(), three.word()) == (True, True)
    assert not two.word()
    two.reloaded()
    assert (one.word(), two.word()) == (True, False)
    assert not Fleet(tmp_path, 3).word()  # it starts with what there is
