from cripto.forecasting.asked import Recent, UnknownAssets


def test_the_nearest_symbols_are_few_and_best_first() -> None:
    unknown = UnknownAssets(["BTC", "BTT", "BCH", "ETH", "BNB"])
    assert unknown.refusal("BTCC").nearest[0] == "BTC"
    assert len(unknown.refusal("B").nearest) <= 3
    assert unknown.refusal("XYZW").nearest == ()


def test_a_refusal_is_made_once() -> None:
    unknown = UnknownAssets(["BTC"])
    assert unknown.refusal("BTX") is unknown.refusal("BTX")


def test_of_recent_values_the_longest_unasked_is_dropped() -> None:
    recent: Recent[str, int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert recent.get("b") is None
    assert recent.items() == [("a", 1), ("c", 3)]


def test_a_value_that_is_put_again_is_the_newest() -> None:
    recent: Recent[str, int] = Recent(2)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        recent.put(key, value)
    assert recent.items() == [("a", 3), ("c", 4)]


def test_a_size_of_nothing_keeps_nothing() -> None:
    recent: Recent[str, int] = Recent(0)
    recent.put("a", 1)
    assert (recent.get("a"), len(recent)) == (None, 0)
