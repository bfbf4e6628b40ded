import pytest

from cripto.domain.asset import parse_asset, parse_quote
from cripto.errors import InvalidAsset, InvalidInput


@pytest.mark.parametrize(
    ("text", "symbol"), [("BTC", "BTC"), ("btc", "BTC"), ("1000pepe", "1000PEPE"), ("a" * 20, "A" * 20)]
)
def test_symbols_are_read_whatever_their_case(text: str, symbol: str) -> None:
    assert parse_asset(text) == symbol


@pytest.mark.parametrize(
    "text", ["", "a" * 21, "BTC-USD", "BTC/USDT", "..", "BTC\n", "\x00", "ВТС", "٣", "ß", " BTC", "BTC ", "%2e%2e"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidAsset) as caught:
        parse_asset(text)
    assert caught.value.text == text
    assert text not in str(caught.value) or text in {"", "a" * 21}


def test_a_quote_has_the_form_of_an_asset() -> None:
    assert parse_quote("usdt") == "USDT"
    with pytest.raises(InvalidInput):
        parse_quote("US$")
