"""Which engine a run of training is done by, as the command line names it."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cripto.errors import InvalidInput

if TYPE_CHECKING:
    from cripto.training.engine import Engine

__all__ = ["MASTER", "EngineName", "OfEngine", "OfMaster", "opened_engine"]

MASTER = "local[*]"
"""Where Spark runs unless told otherwise: all cores of this machine."""


class EngineName(StrEnum):
    """The engines, by the words of the command line."""

    LOCAL = "local"
    SPARK = "spark"


OfEngine = Annotated[
    EngineName, typer.Option("--engine", help="Where the work is done; a release is the same to the last bit.")
]

OfMaster = Annotated[
    str | None,
    typer.Option(
        "--spark-master", help=f"Spark's master, such as local[2] or spark://host:7077; {MASTER} by default."
    ),
]


@contextmanager
def opened_engine(name: EngineName, master: str | None) -> Iterator["Engine | None"]:
    """The engine called ``name``, ``None`` for this machine's threads; closed afterwards.

    Raises `InvalidInput` for a master without Spark, or that is none, and `OperatorError` where Spark does not
    start.
    """
    if name is EngineName.LOCAL:
        if master is not None:
            raise InvalidInput("--spark-master is for --engine spark")
        yield None
        return
    from cripto.training.spark import SparkEngine, spark_session

    with spark_session(master or MASTER) as session:
        yield SparkEngine(session)
