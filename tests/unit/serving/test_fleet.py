from pathlib import Path

from cripto.forecasting import Status
from cripto.serving.figures import Counts, Figures, combined, figures_of
from cripto.serving.fleet import Fleet
from tests.unit.forecasting.toys import House


def figures(refreshes: int, models: int = 5) -> Figures:
    return Figures(models=models, counts=Counts(refreshes=refreshes))


def test_the_figures_of_a_service_are_those_of_its_status() -> None:
    house = House("BTC", "ETH")
    house.service.refresh()
    status, found = house.service.status(), figures_of(house.service.status())
    assert (found.models, found.assets, found.releases) == (5, 2, (("20250729-2130", "1d"),))
    assert found.counts == Counts(2, 1, 0, 0)
    assert status.release_created is not None
    assert found.created == status.release_created.timestamp()
    assert figures_of(Status(house.service.interval)) == Figures()


def test_counts_add_up_and_of_anything_else_the_worst_is_told() -> None:
    good = Figures(5, (("b", "1d"),), 200.0, 0, 90.0, 80.0, 10, 0, Counts(1, 2, 3, 4))
    poor = Figures(0, (("a", "1d"),), 100.0, 2, 60.0, None, 9, 1, Counts(10, 20, 30, 40))
    assert combined([good, poor]) == Figures(
        0, (("a", "1d"), ("b", "1d")), 100.0, 2, 60.0, 80.0, 9, 1, Counts(11, 22, 33, 44)
    )
    assert combined([good]) == good
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
