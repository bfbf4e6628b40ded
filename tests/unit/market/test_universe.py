import pytest

from cripto.domain.universe import Universe, parse_universe
from cripto.errors import InvalidInput
from cripto.market.source import Pair
from cripto.market.universe import PEGGED, Choice, choose

QUOTES = ("USDT", "USDC", "USD", "BRL")


def chosen(universe: str, **lists: list[Pair]) -> Choice:
    return choose(lists, parse_universe(universe), QUOTES)


def offers(choice: Choice) -> dict[str, list[str]]:
    return {
        f"{target.symbol}/{target.quote}": [f"{offer.exchange}:{offer.pair}" for offer in target.offers]
        for target in choice.targets
    }


@pytest.mark.parametrize(
    ("text", "universe"),
    [
        ("all", Universe()),
        (" ALL ", Universe()),
        ("top:30", Universe(top=30)),
        ("btc, eth,BTC", Universe(assets=("BTC", "ETH"))),
    ],
)
def test_a_universe_is_all_the_most_traded_or_a_list(text: str, universe: Universe) -> None:
    assert parse_universe(text) == universe
    assert parse_universe(str(universe)) == universe


@pytest.mark.parametrize("text", ["", "top:0", "top:-1", "top:", "BTC,,ETH", "BTC/USDT", "top:9999999"])
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="a universe is"):
        parse_universe(text)


def test_each_asset_is_chosen_once_in_the_first_quote_that_anybody_trades_it_in() -> None:
    choice = chosen(
        "all",
        one=[Pair("BTC", "BRL"), Pair("BTC", "USD"), Pair("ETH", "USDT", active=False), Pair("ETH", "USD")],
        two=[Pair("BTC", "USDT"), Pair("BTC", "USD"), Pair("SOL", "EUR"), Pair("XRP", "BRL", active=False)],
    )
    assert offers(choice) == {"BTC/USDT": ["two:BTC/USDT"], "ETH/USD": ["one:ETH/USD"]}
    assert [f"{offer.exchange}:{offer.pair}" for offer in choice.targets[0].witnesses] == [
        "one:BTC/USD",
        "two:BTC/USD",
    ]


def test_who_trades_it_comes_before_who_only_lists_it() -> None:
    choice = chosen("all", one=[Pair("BTC", "USDT", active=False)], two=[Pair("BTC", "USDT")])
    assert offers(choice) == {"BTC/USDT": ["two:BTC/USDT", "one:BTC/USDT"]}


def test_an_asset_may_be_named_by_a_multiple_or_by_a_name_it_had() -> None:
    pairs = [Pair("1000SATS", "USDT"), Pair("POL", "USDT"), Pair("EOS", "USDT", active=False), Pair("A", "USDT")]
    choice = chosen("1000sats,MATIC,POL,EOS,1000NADA", one=pairs)
    # a name that is still listed is taken at its word
    assert [target.symbol for target in choice.targets] == ["EOS", "POL", "SATS"]
    assert choice.unknown == ("1000NADA",)


def test_named_assets_are_chosen_where_they_are_only_listed_and_others_are_unknown() -> None:
    choice = chosen("LUNA,BTC,NADA,EURX", one=[Pair("LUNA", "USDT", active=False), Pair("EURX", "JPY")])
    assert offers(choice) == {"LUNA/USDT": ["one:LUNA/USDT"]}
    assert choice.unknown == ("BTC", "EURX", "NADA")


def test_multiples_are_the_coin_and_offered_with_their_factor() -> None:
    choice = chosen("SATS", one=[Pair("1000SATS", "USDT")], two=[Pair("SATS", "USDT"), Pair("1000SATS", "USDT")])
    assert [(offer.exchange, offer.pair.base, offer.factor) for offer in choice.targets[0].offers] == [
        ("one", "1000SATS", 1000),
        ("two", "SATS", 1),
    ]


def test_the_most_traded_are_ranked_in_dollars_before_other_quotes_and_without_what_is_pegged() -> None:
    choice = chosen(
        "top:3",
        one=[
            Pair("USDC", "USDT", quote_volume=1e12),
            Pair("BTC", "USDT", quote_volume=5.0),
            Pair("ETH", "USDT", quote_volume=3.0),
            Pair("XRP", "BRL", quote_volume=1e9),
            Pair("DOGE", "USD"),
        ],
        two=[Pair("ETH", "USDT", quote_volume=4.0)],
    )
    assert [target.symbol for target in choice.targets] == ["BTC", "DOGE", "ETH"]
    assert "USDC" in PEGGED


def test_nothing_listed_is_nothing_chosen() -> None:
    assert chosen("all") == Choice(())
    assert chosen("BTC", one=[]) == Choice((), ("BTC",))
