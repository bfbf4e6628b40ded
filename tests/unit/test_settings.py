from pathlib import Path

import pytest

from cripto.errors import InvalidSettings
from cripto.settings import Settings, load_settings


def test_the_defaults_run_on_a_laptop_with_nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    assert settings.store_url == (tmp_path / "var" / "store").as_uri()
    assert (settings.interval, settings.quotes[0], settings.port, settings.host) == (
        "1d",
        "USDT",
        8000,
        "127.0.0.1",
    )


def test_the_store_goes_before_the_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUCKET_NAME", "criptos-data")
    assert load_settings().store_url == "s3://criptos-data"
    monkeypatch.setenv("CRIPTO_STORE", "s3://other/prefix")
    assert load_settings().store_url == "s3://other/prefix"


def test_an_unknown_setting_is_a_start_up_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRIPTO_STOER", "memory://")
    with pytest.raises(InvalidSettings, match="CRIPTO_STOER is not a setting"):
        load_settings()


def test_what_kubernetes_injects_for_our_service_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_8000_TCP_ADDR"):
        monkeypatch.setenv(f"CRIPTO_PREDICTION_API_{name}", "10.0.0.1")
    load_settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CRIPTO_STORE", "/srv/store"),
        ("CRIPTO_STORE", "http://bucket"),
        ("CRIPTO_INTERVAL", "1D"),
        ("CRIPTO_INTERVALS", "1h,1w"),
        ("CRIPTO_INTERVALS", "1h 4h"),
        ("CRIPTO_QUOTE", "USDT,US$"),
        ("CRIPTO_RELEASE", "latest"),
        ("CRIPTO_REFRESH_SECONDS", "0"),
        ("CRIPTO_REFRESH_SECONDS", "nan"),
        ("CRIPTO_RELOAD_SECONDS", "-1"),
        ("CRIPTO_WARM_ASSETS", "-1"),
        ("CRIPTO_CORS_ORIGINS", "painel.example"),
        ("CRIPTO_CORS_ORIGINS", "https://painel.example/"),
        ("CRIPTO_CORS_ORIGINS", "https://a.example,*"),
        ("CRIPTO_TRACES", "localhost:4318"),
        ("CRIPTO_TRACES", "grpc://127.0.0.1:4317"),
        ("CRIPTO_TRACES", "http://"),
        ("CRIPTO_TRACES", "http://127.0.0.1:99999"),
        ("CRIPTO_TRACES", "https://user:secret@collector:4318"),
        ("CRIPTO_TRACES", "http://collector:4318/?key=secret"),
        ("CRIPTO_TRACES", "http://collector :4318"),
        ("CRIPTO_TRACES_SAMPLE", "1.5"),
        ("CRIPTO_TRACES_SAMPLE", "nan"),
        ("CRIPTO_WORKERS", "0"),
        ("CRIPTO_WORKERS", "65"),
        ("CRIPTO_WORKERS", "auto"),
        ("CRIPTO_ADMIN_TOKEN", "short"),
        ("CRIPTO_ACCESS_LOG", "maybe"),
        ("CRIPTO_REQUIRE_SIGNATURE", "maybe"),
        ("CRIPTO_REQUIRE_SIGNATURE", "true"),
        ("BUCKET_NAME", "Not A Bucket"),
        ("PORT", "65536"),
        ("PORT", "http"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_an_unusable_value_is_named_and_never_shown(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings, match=f"^{name}: ") as caught:
        load_settings()
    if name == "CRIPTO_ADMIN_TOKEN":
        assert value not in str(caught.value)


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CRIPTO_TYPO", "CRIPTO_INTERVAL", "PORT"):
        monkeypatch.setenv(name, "x")
    with pytest.raises(InvalidSettings) as caught:
        load_settings()
    assert all(name in str(caught.value) for name in ("CRIPTO_TYPO", "CRIPTO_INTERVAL", "PORT"))


def test_an_empty_value_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRIPTO_RELEASE", "")
    assert load_settings().release is None


def test_the_token_is_masked_wherever_settings_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRIPTO_ADMIN_TOKEN", "a-long-enough-secret")
    assert "a-long-enough-secret" not in repr(load_settings())


def test_a_signature_is_not_required_of_nobody_in_particular(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRIPTO_REQUIRE_SIGNATURE", "true")
    monkeypatch.setenv("CRIPTO_PUBLIC_KEY", "")
    with pytest.raises(InvalidSettings, match=r"CRIPTO_REQUIRE_SIGNATURE: .* CRIPTO_PUBLIC_KEY"):
        load_settings()
    monkeypatch.setenv("CRIPTO_PUBLIC_KEY", "/etc/cripto/public.pem")
    assert load_settings().require_signature


def test_the_signing_key_is_masked_wherever_settings_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRIPTO_SIGNING_KEY", "-----BEGIN PRIVATE KEY-----\nsecret")
    assert "secret" not in repr(load_settings())


def test_quotes_are_upper_case_and_unique(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRIPTO_QUOTE", "usd, brl,USD")
    assert load_settings().quotes == ("USD", "BRL")


def test_exchanges_are_names_in_order_each_with_a_mirror_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CRIPTO_EXCHANGES")
    assert load_settings().exchange_entries[0] == ("binance", None)
    monkeypatch.setenv("CRIPTO_EXCHANGES", "kraken, binance=http://127.0.0.1:99/x")
    assert load_settings().exchange_entries == (("kraken", None), ("binance", "http://127.0.0.1:99/x"))
    monkeypatch.setenv("CRIPTO_EXCHANGES", "none")
    assert load_settings().exchange_entries == ()


@pytest.mark.parametrize(
    "value", ["Binance", "binance,binance", "none,kraken", "binance=ftp://x", ",", "a b", "a="]
)
def test_what_names_no_exchanges_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRIPTO_EXCHANGES", value)
    with pytest.raises(InvalidSettings, match="CRIPTO_EXCHANGES"):
        load_settings()


def test_the_universe_is_all_the_most_traded_or_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().universe == "all"
    monkeypatch.setenv("CRIPTO_UNIVERSE", "btc, eth,btc")
    assert load_settings().universe == "BTC,ETH"
    monkeypatch.setenv("CRIPTO_UNIVERSE", "top:0")
    with pytest.raises(InvalidSettings, match="CRIPTO_UNIVERSE: a universe is"):
        load_settings()


def test_each_setting_has_a_docstring() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_origins_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().origins == ()
    monkeypatch.setenv("CRIPTO_CORS_ORIGINS", "https://a.example, http://localhost:3000, http://[::1]:3000")
    assert load_settings().origins == ("https://a.example", "http://localhost:3000", "http://[::1]:3000")
    monkeypatch.setenv("CRIPTO_CORS_ORIGINS", "*")
    assert load_settings().origins == ("*",)


@pytest.mark.parametrize(
    ("text", "further"),
    [("", ()), ("1h", ("1h",)), (" 4h, 1h ,1h,", ("1h", "4h")), ("1d,1h", ("1h",)), ("1d", ())],
)
def test_further_intervals_are_unique_in_order_and_without_the_default_one(
    text: str, further: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRIPTO_INTERVALS", text)
    assert load_settings().further_intervals == further
