"""The engine that the command line names."""

import sys

import pytest

from cripto.cli.engines import EngineName, opened_engine
from cripto.errors import InvalidInput, OperatorError


def test_threads_of_this_machine_are_no_engine_of_their_own() -> None:
    with opened_engine(EngineName.LOCAL, None) as engine:
        assert engine is None


def test_a_master_without_spark_is_refused() -> None:
    with pytest.raises(InvalidInput, match="--engine spark"), opened_engine(EngineName.LOCAL, "local[2]"):
        pass


def test_a_master_that_is_none_is_refused_before_spark_is_looked_for() -> None:
    with pytest.raises(InvalidInput, match="no Spark master"), opened_engine(EngineName.SPARK, "two please"):
        pass


def test_spark_that_is_not_there_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(OperatorError, match=r"cripto\[spark\]"), opened_engine(EngineName.SPARK, None):
        pass
