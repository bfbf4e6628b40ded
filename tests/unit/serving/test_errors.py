import inspect
import json
from datetime import UTC, datetime

import pytest

from cripto import errors
from cripto.errors import CriptoError
from cripto.serving.errors import INTERNAL_ERROR, TABLE, http_problem, problem_of, slug_of

START = datetime(2025, 1, 1, tzinfo=UTC)
SECRET = "s3cr3t text of an exception"
EVERY_CLASS = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, CriptoError)]
EXAMPLES: list[tuple[CriptoError, int, str]] = [
    (errors.InvalidAsset("../" + SECRET), 422, "ativo-invalido"),
    (errors.UnknownAsset("BTX", ["BTC"]), 404, "ativo-desconhecido"),
    (errors.RetiredAsset("EOS", "USDT", ["binance", "kraken"], START), 410, "ativo-retirado"),
    (errors.InsufficientHistory("BTC", 3, 61), 422, "historico-insuficiente"),
    (errors.HistoryGap("BTC", START, START.replace(day=4)), 422, "lacuna-no-historico"),
    (errors.InvalidInput(SECRET), 422, "entrada-invalida"),
    (errors.UnknownRelease("20250101-0000"), 404, "release-desconhecida"),
    (errors.UnknownPair("kraken", "BTX/USD"), 404, "par-desconhecido"),
    (errors.Unauthorized(), 401, "nao-autorizado"),
    (errors.NoRelease(SECRET), 503, "sem-release"),
    (errors.Overloaded(), 503, "sobrecarga"),
    (errors.StorageUnavailable(SECRET), 503, "armazenamento-indisponivel"),
    (errors.ExchangeUnavailable("kraken", SECRET, 30.0), 503, "bolsa-indisponivel"),
    (errors.WriteConflict(SECRET), 503, "escrita-concorrente"),
    (errors.InvalidSettings(SECRET), 500, "configuracao-invalida"),
    (errors.StorageDenied(SECRET), 503, "armazenamento-negado"),
    (errors.ExchangeDenied("kraken", SECRET), 503, "bolsa-negada"),
    (errors.ObjectNotFound(SECRET), 503, "objeto-ausente"),
    (errors.ReleaseRefused("20250101-0000", SECRET), 503, "release-recusada"),
    (errors.ModelRefused("regressor_rf", SECRET), 500, "modelo-recusado"),
    (errors.TrainingRefused(SECRET), 500, "treino-recusado"),
    (errors.CallerError(SECRET), 400, "requisicao-recusada"),
    (errors.RetryLater(SECRET), 503, "tente-mais-tarde"),
    (errors.OperatorError(SECRET), 500, "intervencao-necessaria"),
    (CriptoError(SECRET), 500, "erro-do-servico"),
]


@pytest.mark.parametrize("cls", EVERY_CLASS)
def test_each_class_of_error_is_mapped_by_a_row_of_its_own(cls: type[CriptoError]) -> None:
    assert cls in TABLE
    assert cls in {type(error) for error, _, _ in EXAMPLES}


def test_no_two_rows_share_a_slug() -> None:
    assert len({row.slug for row in TABLE.values()}) == len(TABLE)


@pytest.mark.parametrize(("error", "status", "slug"), EXAMPLES, ids=[slug for _, _, slug in EXAMPLES])
def test_an_error_is_told_by_its_attributes_and_never_by_its_text(
    error: CriptoError, status: int, slug: str
) -> None:
    told = problem_of(error)
    assert (told.status, told.slug) == (status, slug)
    assert slug_of(error) == slug
    assert SECRET not in told.body("1").decode()
    assert ("retry-after" in told.headers) == (status == 503)


def test_branches_decide_the_kind_of_status() -> None:
    for cls, row in TABLE.items():
        if issubclass(cls, errors.CallerError):
            assert 400 <= row.status < 500
        elif issubclass(cls, errors.RetryLater):
            assert row.status == 503
        else:
            assert row.status >= 500


def test_members_carry_what_a_program_needs() -> None:
    assert problem_of(errors.UnknownAsset("BTX", ["BTC"])).members == {"simbolos_proximos": ["BTC"]}
    assert problem_of(errors.InsufficientHistory("BTC", 3, 61)).members == {
        "candles_disponiveis": 3,
        "candles_necessarios": 61,
    }
    assert problem_of(errors.HistoryGap("BTC", START, START.replace(day=4))).members == {
        "lacuna": {"depois_de": "2025-01-01T00:00:00Z", "antes_de": "2025-01-04T00:00:00Z"}
    }


def test_a_class_added_later_is_told_like_its_branch() -> None:
    class Novel(errors.RetryLater):
        pass

    assert problem_of(Novel(SECRET)).slug == "tente-mais-tarde"


def test_anything_else_is_an_internal_error_that_says_nothing() -> None:
    assert problem_of(RuntimeError(SECRET)) is INTERNAL_ERROR
    assert slug_of(KeyError(SECRET)) == "erro-interno"


def test_a_bare_status_is_told_with_its_headers() -> None:
    told = http_problem(405, {"Allow": "GET"})
    assert told.headers["allow"] == "GET"
    assert json.loads(http_problem(413).body("1"))["type"] == "urn:cripto:problema:http-413"


def test_an_unauthorized_caller_is_told_how_to_authenticate() -> None:
    assert problem_of(errors.Unauthorized()).headers["www-authenticate"].startswith("Bearer")
