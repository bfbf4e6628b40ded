"""What an AWS Glue job is given to install."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import parse_wheel_filename

from cripto.cli.glue import ARGUMENTS
from tools.glue import arguments, pins

ROOT = Path(__file__).parents[3]
GLIBC = 34
"""Of Amazon Linux 2023, on which Glue 5 runs."""


@pytest.fixture(scope="module")
def pinned() -> dict[str, str]:
    found = [Requirement(line) for line in pins()]
    return {item.name: str(item.specifier).removeprefix("==") for item in found}


def test_spark_and_clients_of_aws_stay_as_glue_has_them(pinned: dict[str, str]) -> None:
    assert {"numpy", "scikit-learn", "joblib", "onnx", "polars", "deltalake", "pandas", "pyarrow"} <= set(pinned)
    assert not {"pyspark", "py4j", "boto3", "botocore", "cripto", "fastapi", "ccxt"} & set(pinned)


def test_each_has_a_wheel_that_glue_can_install(pinned: dict[str, str]) -> None:
    platforms = [f"manylinux_2_{minor}_x86_64" for minor in range(GLIBC, 4, -1)] + ["manylinux2014_x86_64"]
    usable: set[Tag] = {*cpython_tags((3, 11), platforms=platforms), *compatible_tags((3, 11), "cp311", platforms)}
    locked = {
        (item["name"], item["version"]): item for item in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    }
    for name, version in pinned.items():
        files = [wheel["url"].rpartition("/")[2] for wheel in locked[name, version].get("wheels", [])]
        assert any(usable & parse_wheel_filename(file)[3] for file in files), name


def test_arguments_are_of_one_list_of_modules_and_of_what_the_script_knows(pinned: dict[str, str]) -> None:
    found = arguments("s3://criptos-data/glue/", "cripto-1.0.0-py3-none-any.whl")
    first, *rest = found.pop("--additional-python-modules").split(",")
    assert first == "s3://criptos-data/glue/cripto-1.0.0-py3-none-any.whl"
    assert len(rest) == len(pinned)
    assert all("==" in item and not set(item) & set(" ;'\"") for item in rest)
    assert found["--store"] == "s3://criptos-data"
    assert {name.removeprefix("--") for name in found} <= set(ARGUMENTS)
