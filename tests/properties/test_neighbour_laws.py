"""The quick way to find symbols that look alike finds what the slow and obvious one does."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cripto.domain.asset import nearest_symbols
from cripto.forecasting.neighbours import Neighbours

# few letters, so that much is alike and much is equally alike
SYMBOLS = st.one_of(
    st.text("ABC1", min_size=1, max_size=8),
    st.text(string.ascii_uppercase + string.digits, min_size=1, max_size=20),
)


@settings(max_examples=400, deadline=None)
@given(st.sets(SYMBOLS, max_size=40), SYMBOLS, st.integers(1, 4))
def test_it_finds_the_same_symbols_in_the_same_order(known: set[str], asset: str, limit: int) -> None:
    assert Neighbours(sorted(known)).nearest(asset, limit) == nearest_symbols(asset, known, limit)


@pytest.mark.parametrize("strange", ["AÉB", "\0", "?", "日本", "A" * 40])
def test_symbols_that_no_asset_can_have_do_no_harm(strange: str) -> None:
    known = sorted(["BTC", strange])
    for asset in ("BTX", "AB", "A" * 20, "Z"):
        assert Neighbours(known).nearest(asset) == nearest_symbols(asset, known)
