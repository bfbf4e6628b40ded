"""A run of training as a job of AWS Glue: arguments in its form, progress as lines of its log.

``glue/train.py`` is the script that Glue runs; all it does is here, and needs no Glue.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from cripto.cli.logs import configure_logging
from cripto.cli.train import newly_closed, resumed, train_release
from cripto.cli.wiring import installation
from cripto.errors import InvalidInput

if TYPE_CHECKING:
    from cripto.training import Progress

__all__ = ["ARGUMENTS", "given", "options_of", "run", "settings_of"]

_LOG = logging.getLogger(__name__)

_SETTINGS: Final = {
    "store": "CRIPTO_STORE",
    "default_interval": "CRIPTO_INTERVAL",
    "quotes": "CRIPTO_QUOTE",
    "signing_key": "CRIPTO_SIGNING_KEY",
    "public_key": "CRIPTO_PUBLIC_KEY",
    "region": "AWS_DEFAULT_REGION",
    "log_level": "LOG_LEVEL",
}
_NUMBERS: Final = ("seed", "folds", "search", "if_new")
_WORDS: Final = {"true": True, "false": False}

ARGUMENTS: Final = (*_SETTINGS, "interval", "promote", *_NUMBERS)
"""Every argument of the job, without its dashes: settings by other names, and the options of ``cripto train``."""


def given(argv: Sequence[str]) -> list[str]:
    """Which of `ARGUMENTS` are among ``argv``: Glue's own parser wants all that it is asked for to be there."""
    found = {word[2:].partition("=")[0] for word in argv if word.startswith("--")}
    return [name for name in ARGUMENTS if name in found]


def settings_of(arguments: Mapping[str, Any]) -> dict[str, str]:
    """The environment variables that ``arguments`` stand for; raise `InvalidInput` for a key as text.

    A job's arguments are shown to whoever may look at the job: a key is named by its file.
    """
    found = {name: str(arguments[key]) for key, name in _SETTINGS.items() if key in arguments}
    if "-----BEGIN" in found.get("CRIPTO_SIGNING_KEY", ""):
        raise InvalidInput("--signing_key is the path of a file that --extra-files brings, never the key itself")
    return found


def options_of(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The options of ``cripto train`` among ``arguments``, as values; raise `InvalidInput` for what is none."""
    found: dict[str, Any] = {}
    if "promote" in arguments:
        word = str(arguments["promote"]).strip().lower()
        if word not in _WORDS:
            raise InvalidInput(f"--promote is true or false, not {word!r:.40}")
        found["promote"] = _WORDS[word]
    for name in _NUMBERS:
        if name in arguments:
            text = str(arguments[name]).strip()
            if not (text.isascii() and text.isdecimal()):
                raise InvalidInput(f"--{name} is a whole number, not {text!r:.40}")
            found[name] = int(text)
    return found


def run(arguments: Mapping[str, Any]) -> None:
    """Train in the Spark session that runs, and publish; what fails is raised, for Glue to show.

    ``arguments`` are those of `ARGUMENTS` that the job was given; others are left alone.
    """
    from cripto.training.spark import SparkEngine, spark_session

    configure_logging("INFO", readable=False)
    os.environ.update(settings_of(arguments))
    options = options_of(arguments)
    parts = installation(arguments.get("interval"))
    configure_logging(parts.settings.log_level, readable=False)
    told = {name: arguments[name] for name in ARGUMENTS if name in arguments and not name.endswith("_key")}
    _LOG.info("training begins", extra={"arguments": told, "of": parts.settings.store_url})
    needed = options.pop("if_new", None)
    if needed is not None and not (found := newly_closed(parts, needed)).enough:
        late = resumed(parts, found, options.get("promote", False))
        _LOG.info("not trained: %s", found, extra={"new_candles": found.to_json()})
        if late is not None:
            _LOG.info("%s", late, extra={"release": str(found.newest), "promoted": True})
        return
    with spark_session(None) as session:
        result = train_release(parts, **options, engine=SparkEngine(session), watched=_in_log)
    _LOG.info(
        "training ends",
        extra={
            "release": str(result.manifest.release),
            "promoted": result.promoted,
            "reason": result.reason,
            "verdicts": {name: metrics["verdict"] for name, metrics in result.metrics.items()},
        },
    )


@contextmanager
def _in_log() -> "Iterator[Progress]":
    def report(stage: str, done: int, total: int) -> None:
        _LOG.info("%s: %d of %d", stage, done, total)

    yield report
