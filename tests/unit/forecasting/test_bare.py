import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from cripto.domain.model_name import MODEL_NAMES
from cripto.errors import CriptoError, ModelRefused, NoRelease, StorageUnavailable
from cripto.features import latest_features, spec_of_names
from cripto.forecasting.bare import BareModels, Disk
from cripto.forecasting.last_good import KeptReleases, LastGood
from cripto.forecasting.service import PredictionService
from cripto.registry import Mirror, ReleaseRegistry
from cripto.registry.convert import Conversion, ConversionCache, convert_cached
from cripto.storage import MemoryStore, ObjectStore
from tests.doubles.bare import NAMES, bare_estimators, bare_joblibs, put_bare
from tests.unit.forecasting.toys import DAILY, House, candles, draft

pytestmark = pytest.mark.xdist_group("joblibs converted")

OLD, NEW, NEWER = "20250701-0000", "20250702-0000", "20250703-0000"
CONVERSIONS = MemoryStore()
"""What is converted once is not converted again by another test, so all of them are one worker's."""


def raised(error: CriptoError) -> None:
    raise error


class Counting:
    """The real conversion, counted."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.fault: ModelRefused | None = None

    def __call__(self, files: Mapping[str, bytes]) -> Mapping[str, Conversion | ModelRefused]:
        self.opened += files
        if self.fault is not None:
            return dict.fromkeys(files, self.fault)
        return convert_cached(files, ConversionCache(CONVERSIONS, raised))


class Bucket(House):
    """A store of joblibs without a release, and a service that looks at it."""

    def __init__(self, **versions: Mapping[str, bytes]) -> None:
        super().__init__("BTC", "ETH", publish=False)
        self.convert = Counting()
        self.local = MemoryStore()
        for version, files in versions.items():
            put_bare(self.store, version.removeprefix("v").replace("_", "-"), files)
        self.service = self.another()

    def another(self, conversions: ObjectStore | None = None) -> PredictionService:
        disk = Disk(ConversionCache(conversions or MemoryStore(), raised), self.local)
        self.models = BareModels(self.store, DAILY, disk, convert=self.convert)
        releases = KeptReleases(Mirror(self.registry, self.store, self.local), ReleaseRegistry(self.local))
        return PredictionService(
            self.registry,
            self.lake,
            clock=self.clock,
            interval="1d",
            bare=self.models,
            last_good=LastGood(self.local, DAILY, releases=releases, bare=self.models),
        )

    def answer(self) -> Any:
        return json.loads(self.service.answer("BTC").body)


def test_joblibs_without_a_release_are_served_and_never_called_calibrated() -> None:
    house = Bucket(v20250701_0000=bare_joblibs())
    house.service.refresh()
    answer = house.answer()
    assert list(answer["modelos"]) == list(MODEL_NAMES)
    assert answer["total_modelos"] == 5
    assert {model["versao"] for model in answer["modelos"].values()} == {OLD}
    assert not answer["modelos"]["classifier_rf"]["calibrada"]
    assert answer["release"].startswith("joblib-")
    status = house.service.status()
    assert dict(status.versions) == dict.fromkeys(MODEL_NAMES, OLD)
    assert status.refused == ()


def test_what_is_served_is_what_scikit_learn_says() -> None:
    other = ("volatility_5", "return_1")
    files = {**bare_joblibs(), "regressor_rf": bare_joblibs(other)["regressor_rf"]}
    house = Bucket(v20250701_0000=files)
    house.service.refresh()
    answer = house.answer()
    for name, names in (("regressor_rf", other), ("regressor_gbr", NAMES), ("classifier_log", NAMES)):
        spec = spec_of_names(names)
        row = latest_features(candles("BTC"), spec, DAILY).select(spec.names)
        model = bare_estimators(names)[name]
        if name.startswith("regressor"):
            assert answer["modelos"][name]["variacao"] == pytest.approx(np.expm1(model.predict(row)[0]), abs=1e-6)
        else:
            assert answer["modelos"][name]["probabilidade"] == pytest.approx(
                model.predict_proba(row)[0, 1], abs=1e-6
            )


@pytest.mark.slow
def test_of_each_name_the_newest_file_that_can_be_served_is() -> None:
    newer = {"regressor_rf": bare_joblibs(seed=1)["regressor_rf"], "classifier_rf": b"half a f"}
    house = Bucket(v20250701_0000=bare_joblibs(), v20250702_0000=newer)
    house.service.refresh()
    versions = {name: model["versao"] for name, model in house.answer()["modelos"].items()}
    assert versions == {**dict.fromkeys(MODEL_NAMES, OLD), "regressor_rf": NEW}
    (refusal,) = house.service.status().refused
    assert (refusal.release, refusal.file) == (NEW, f"models/classifier_rf_{NEW}.joblib")
    assert "not a joblib" in refusal.reason


def test_fewer_than_five_are_served_as_they_are() -> None:
    house = Bucket(v20250701_0000={"regressor_lin": bare_joblibs()["regressor_lin"]})
    house.service.refresh()
    answer = house.answer()
    assert (list(answer["modelos"]), answer["total_modelos"]) == (["regressor_lin"], 1)


def test_features_that_are_not_ours_are_a_reason_to_refuse() -> None:
    house = Bucket(v20250701_0000={"regressor_lin": bare_joblibs(("return_1", "tea_leaves_5"))["regressor_lin"]})
    with pytest.raises(NoRelease, match="1 joblibs were refused"):
        house.service.load()
    (refusal,) = house.service.status().refused
    assert "tea_leaves_5" in refusal.reason


def test_a_file_is_opened_once_and_a_changed_one_again() -> None:
    house = Bucket(v20250701_0000=bare_joblibs(), v20250702_0000={"regressor_rf": b"half"})
    for _ in range(3):
        house.service.refresh()
    assert len(house.convert.opened) == 6
    before = house.answer()["release"]
    put_bare(house.store, NEW, {"regressor_rf": bare_joblibs(seed=1)["regressor_rf"]})
    house.service.refresh()
    assert len(house.convert.opened) == 7
    assert house.answer()["modelos"]["regressor_rf"]["versao"] == NEW
    assert house.answer()["release"] != before
    assert house.service.status().refused == ()


def test_the_same_files_under_another_version_are_another_set() -> None:
    names = []
    for version in ("v20250701_0000", "v20250702_0000"):
        house = Bucket(**{version: bare_joblibs()})
        house.service.refresh()
        names.append(house.answer()["release"])
    assert names[0] != names[1]


def test_a_release_goes_before_joblibs() -> None:
    house = Bucket(v20250701_0000=bare_joblibs())
    house.service.refresh()
    house.registry.publish(draft())
    house.service.refresh()
    assert house.answer()["release"] == "20250729-2130"
    opened = len(house.convert.opened)
    house.service.refresh()
    assert len(house.convert.opened) == opened


def test_a_publication_under_way_is_not_taken_for_joblibs() -> None:
    house = Bucket(v20250701_0000=bare_joblibs())
    house.service.refresh()
    before = house.answer()
    house.store.put(f"models/releases/{NEW}/regressor_rf.onnx", b"graph")
    put_bare(house.store, NEW, bare_joblibs(seed=1))
    house.service.refresh()
    assert house.answer() == before


def test_a_child_that_failed_is_tried_again_now_and_then() -> None:
    house = Bucket(v20250701_0000={"regressor_lin": bare_joblibs()["regressor_lin"]})
    house.convert.fault = ModelRefused("regressor_lin", "the conversion process gave no answer")
    for _ in range(10):
        house.service.refresh()
    assert len(house.convert.opened) == 1
    house.convert.fault = None
    house.service.refresh()
    assert house.answer()["total_modelos"] == 1


def test_a_look_opens_few_files_and_the_next_goes_further_back() -> None:
    house = Bucket(v20250701_0000={"regressor_lin": bare_joblibs()["regressor_lin"]})
    for day in range(2, 9):
        house.store.put(f"models/regressor_lin_2025070{day}-0000.joblib", b"rubbish %d" % day)
    house.service.refresh()
    assert len(house.convert.opened) == 5
    assert not house.service.ready
    house.service.refresh()
    assert house.answer()["modelos"]["regressor_lin"]["versao"] == OLD


def test_a_restart_converts_nothing_even_while_the_store_is_down() -> None:
    house = Bucket(v20250701_0000=bare_joblibs())
    disk = MemoryStore()
    house.service = house.another(disk)
    house.service.refresh()
    before = house.answer()

    house.convert.opened.clear()
    house.service = house.another(disk)
    house.service.refresh()
    assert house.answer() == before
    house.registry.fault = house.lake.fault = StorageUnavailable("down")
    house.service = house.another(disk)
    house.service.refresh()
    assert house.answer() == before
    assert house.convert.opened == []


def test_a_set_on_disk_that_lacks_a_conversion_is_not_served() -> None:
    house = Bucket(v20250701_0000=bare_joblibs())
    house.service.refresh()
    house.registry.fault = StorageUnavailable("down")
    house.service = house.another(MemoryStore())
    house.service.refresh()
    assert not house.service.ready
