"""The parameter that says which candles a question is about, the same on every route that has it."""

from typing import Annotated

from fastapi import Query

from cripto.domain.interval import INTERVALS

__all__ = ["Intervalo"]

# checked by the domain, so that every interval is refused in one way
Intervalo = Annotated[
    str | None,
    Query(
        description="Intervalo dos candles, um dos que são servidos aqui; sem ele, o padrão.",
        json_schema_extra={"enum": list(INTERVALS)},
    ),
]
