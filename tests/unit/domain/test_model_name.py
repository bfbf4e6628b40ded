import pytest

from cripto.domain.model_name import MODEL_NAMES, ModelFile, parse_model_file, tipo_of
from cripto.domain.release_version import ReleaseVersion
from cripto.errors import InvalidInput


def test_the_key_of_a_model_file_is_read_back() -> None:
    for name in MODEL_NAMES:
        file = ModelFile(name, ReleaseVersion.parse("20250729-2130"))
        assert file.key == f"models/{name}_20250729-2130.joblib"
        assert parse_model_file(file.key) == file


@pytest.mark.parametrize(
    "key",
    [
        "models/regressor_xgb_20250729-2130.joblib",
        "models/regressor_rf_20250729.joblib",
        "models/regressor_rf_20251399-2130.joblib",
        "models/regressor_rf_20250729-2130.joblib.tmp",
        "models/old/regressor_rf_20250729-2130.joblib",
        "regressor_rf_20250729-2130.joblib",
        "models/regressor_rf_20250729-2130.pkl",
    ],
)
def test_other_keys_are_no_model_files(key: str) -> None:
    assert parse_model_file(key) is None


def test_the_tipo_follows_from_the_name() -> None:
    assert [tipo_of(name) for name in MODEL_NAMES] == ["regressor"] * 3 + ["classifier"] * 2
    with pytest.raises(InvalidInput):
        tipo_of("clusterer_kmeans")
