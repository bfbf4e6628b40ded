"""The page of coverage: a real image of the right size whose colours depend on the candles."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image

from cripto.domain.interval import Interval
from cripto.errors import InvalidInput, OperatorError
from cripto.market.lake import MemoryLake
from cripto.market.picture import COLOURS, DRAWN, WIDTH, draw, picture_form
from cripto.market.quality import check_lake
from tests.doubles.candles import DAILY, HOURLY, START, random_walk

NOW = START + timedelta(days=900)


def drawn(
    path: Path, *frames: pl.DataFrame, interval: Interval = DAILY, since: datetime | None = None
) -> NDArray[np.uint8]:
    """Draw a lake of these candles; the pixels, if it is a PNG."""
    lake = MemoryLake()
    if frames:
        lake.upsert(pl.concat(frames))
    draw(check_lake(lake, now=NOW, since=since, pictured=interval.name), interval.name, path)
    if path.suffix == ".svg":
        return np.zeros((0, 0, 3), np.uint8)
    with Image.open(path) as image:
        assert image.format == "PNG"
        image.verify()
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def pixels(image: NDArray[np.uint8], state: str) -> int:
    """How many are exactly of the colour of a state."""
    colour = COLOURS[state].removeprefix("#")
    wanted = [int(colour[at : at + 2], 16) for at in (0, 2, 4)]
    return int((image == wanted).all(axis=2).sum())


def columns(image: NDArray[np.uint8], state: str) -> list[int]:
    colour = COLOURS[state].removeprefix("#")
    wanted = [int(colour[at : at + 2], 16) for at in (0, 2, 4)]
    below = image[130:]  # the legend shows every colour
    return np.flatnonzero((below == wanted).all(axis=2).any(axis=0)).tolist()


def test_a_whole_series_is_one_colour(tmp_path: Path) -> None:
    image = drawn(tmp_path / "a.png", random_walk(["BTC"], 300))
    assert image.shape[1] == WIDTH
    assert 200 < image.shape[0] < 400
    assert columns(image, "missing") == columns(image, "partly") == columns(image, "behind") == []
    assert len(columns(image, "whole")) > WIDTH // 2


def test_a_gap_is_seen_where_it_is(tmp_path: Path) -> None:
    walk = random_walk(["BTC"], 300)
    image = drawn(tmp_path / "a.png", walk.head(150), walk.tail(120))
    whole, missing = columns(image, "whole"), columns(image, "missing")
    left, right = min(whole), max(whole)
    assert (min(missing) - left) / (right - left) == pytest.approx(150 / 300, abs=0.01)
    assert (max(missing) - left) / (right - left) == pytest.approx(180 / 300, abs=0.01)


def test_a_single_candle_among_many_that_is_missing_is_seen(tmp_path: Path) -> None:
    walk = random_walk(["BTC"], 24 * 700, HOURLY)
    image = drawn(tmp_path / "a.png", walk.filter(pl.int_range(pl.len()) != 9000), interval=HOURLY)
    assert columns(image, "partly")
    assert not columns(image, "missing")


def test_a_series_that_stopped_is_told_from_one_with_a_gap(tmp_path: Path) -> None:
    image = drawn(tmp_path / "a.png", random_walk(["BTC"], 300), random_walk(["ETH"], 200))
    assert columns(image, "behind")
    assert not columns(image, "missing")


def test_an_odd_bar_is_marked(tmp_path: Path) -> None:
    walk = random_walk(["BTC"], 300)
    far = walk.with_columns(high=pl.when(pl.int_range(pl.len()) == 100).then(pl.col("high") * 9).otherwise("high"))
    plain, marked = drawn(tmp_path / "a.png", walk), drawn(tmp_path / "b.png", far)
    assert plain.shape == marked.shape
    differing = np.flatnonzero((plain != marked).any(axis=2).any(axis=0))
    whole = columns(plain, "whole")
    at = (differing.mean() - min(whole)) / (max(whole) - min(whole))
    assert at == pytest.approx(100 / 300, abs=0.01)
    assert pixels(marked, "odd") > pixels(plain, "odd")


def test_since_begins_the_page(tmp_path: Path) -> None:
    walk = random_walk(["BTC"], 300)
    held = pl.concat([walk.head(100), walk.tail(190)])
    assert columns(drawn(tmp_path / "a.png", held), "missing")
    assert not columns(drawn(tmp_path / "b.png", held, since=START + timedelta(days=120)), "missing")


def test_hundreds_of_series_are_summed_up_beyond_the_worst(tmp_path: Path) -> None:
    walk = random_walk([f"A{number:03}" for number in range(300)], 50)
    holed = walk.filter(~((pl.col("symbol") == "A250") & (pl.col("time") == START + timedelta(days=9))))
    path = tmp_path / "a.svg"
    drawn(path, holed)
    text = path.read_text()
    assert "A250/USDT" in text  # the one that lacks something has a line of its own
    assert text.count("/USDT") == DRAWN
    assert "240 others, summed up" in text
    image = drawn(tmp_path / "a.png", holed)
    assert image.shape[0] < 1500


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_same_candles_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    walk = random_walk(["BTC", "ETH"], 90).filter(pl.int_range(pl.len()) != 50)
    first, second, other = (tmp_path / f"{name}.{suffix}" for name in "abc")
    for path, frame in ((first, walk), (second, walk.reverse()), (other, walk.head(170))):
        drawn(path, frame)
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes() != other.read_bytes()
    assert sorted(tmp_path.iterdir()) == [first, second, other]


def test_an_svg_is_one_that_can_be_read_and_tells_what_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "page.SVG"
    lake = MemoryLake()
    lake.upsert(random_walk(["BTC"], 30))
    draw(check_lake(lake, now=NOW, pictured="1d"), "1d", path)
    root = ET.fromstring(path.read_text())
    assert root.tag.endswith("svg")
    told = " ".join(root.itertext())
    assert "candles of 1d, version 0 of the lake: 1 series, 30 candles" in told
    assert "870 behind (870d)" in told


def test_an_empty_lake_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    drawn(path)
    assert "candles of 1d, version - of the lake: none" in path.read_text()


def test_one_candle_is_a_page_too(tmp_path: Path) -> None:
    image = drawn(tmp_path / "a.png", random_walk(["BTC"], 1))
    assert len(columns(image, "whole")) > WIDTH // 2


def test_names_that_came_past_validation_are_shown_in_plain_letters(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    drawn(path, random_walk(["BTC"], 3).with_columns(symbol=pl.lit("$\\frac<b>\x07\u65e5" + "X" * 5000)))
    assert "??frac?b???XXXX" in path.read_text()
    assert "X" * 30 not in path.read_text()


@pytest.mark.parametrize("name", ["page.pdf", "page", "page.png.txt", "nowhere/page.png"])
def test_another_form_or_a_folder_that_is_not_there_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        picture_form(tmp_path / name)


def test_a_page_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    path.mkdir()
    with pytest.raises(OperatorError, match="cannot be written"):
        drawn(path, random_walk(["BTC"], 3))
    assert list(tmp_path.iterdir()) == [path]


def test_no_window_is_ever_opened_whatever_backend_is_asked_for(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from cripto.market.lake import MemoryLake
from cripto.market.picture import draw
from cripto.market.quality import check_lake
from tests.doubles.candles import START, random_walk
assert "matplotlib" not in sys.modules
lake = MemoryLake()
lake.upsert(random_walk(["BTC"], 3))
draw(check_lake(lake, now=START, pictured="1d"), "1d", Path(sys.argv[1]))
print(sorted(name for name in sys.modules if name in {"matplotlib.pyplot", "tkinter"} or "backend_tk" in name))
"""
    result = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.png")],
        env={**os.environ, "MPLBACKEND": "TkAgg", "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"
