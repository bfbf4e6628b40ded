"""An evaluation as one page of HTML: nothing is fetched, no script runs, and it prints.

Whatever comes from data (symbols, file names, reasons) is escaped. Without matplotlib the page has its tables
only, and says so.
"""

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any, Final

from cripto.training import figures

__all__ = ["PAGE_FILE", "page"]

PAGE_FILE: Final = "evaluation.html"
"""Name of the page in a release."""

Models = Mapping[str, Mapping[str, Any]]

_STYLE: Final = """\
body { font: 14px/1.45 "DejaVu Sans", Verdana, sans-serif; color: #111 }
body { max-width: 72em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em } h2 { font-size: 1.15em; margin-top: 2em }
table { border-collapse: collapse; margin: 1em 0; font-size: 0.9em }
th, td { text-align: right; padding: 0.25em 0.8em; border-bottom: 1px solid #ddd }
th:first-child, td:first-child, td.text { text-align: left }
svg { max-width: 100%; height: auto } .note { color: #555 }
.mind { border-left: 4px solid #D55E00; padding-left: 1em }
section { break-inside: avoid }
@media print { body { margin: 0; max-width: none; font-size: 11px } }
"""

_WITHOUT: Final = "There are no curves here: matplotlib was not installed (<code>cripto[report]</code>)."


def page(report: Mapping[str, Any]) -> bytes:
    """The page of ``report``, an evaluation's JSON as in a release or from ``cripto evaluate``."""
    models: Models = report["models"]
    drawn = figures.can_draw()
    parts = [
        _head(report),
        _section("Verdicts", _verdicts(models), _rule(report["method"]["verdict"])),
        *(_curves(models) if drawn else [f'<p class="note">{_WITHOUT}</p>']),
        _section("Parts of the time", _slices(models, "parts")),
        _section("What the market was like", _slices(models, "regimes")),
        _section("Assets", _slices(models, "assets"), "Assets marked * have too few days for an interval."),
        _coverage(models),
        _section("Baselines", _baselines(models)),
        _illustration(models, report["method"]["fee"]),
        _section("How it was done", _method(report)),
    ]
    body = "\n".join(part for part in parts if part)
    title = f"Evaluation of release {escape(str(report['release']))}"
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        "<!doctype html>\n"
        f'<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{title}</title>\n'
        f"<style>\n{_STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    ).encode()


def _head(report: Mapping[str, Any]) -> str:
    scored = report["scored"]
    text = (
        f"{escape(str(report['kind']))}, {escape(str(report['interval']))} candles: {scored['rows']:,} rows of"
        f" {scored['assets']:,} assets on {scored['days']:,} days,"
        f" {_day(scored['first'])} to {_day(scored['last'])}."
    )
    groups = report.get("groups")
    if groups:
        text += " " + escape("; ".join(f"{count:,} of {name}" for name, count in groups.items() if count)) + "."
    warnings = "".join(f'<p class="mind">{escape(warning)}</p>' for warning in report.get("warnings", ()))
    return f"<p>{text}</p>{warnings}"


def _section(title: str, *content: str) -> str:
    inside = "\n".join(item if item.startswith("<") else f'<p class="note">{item}</p>' for item in content if item)
    return f"<section>\n<h2>{escape(title)}</h2>\n{inside}\n</section>" if inside else ""


def _verdicts(models: Models) -> str:
    head = ("model", "verdict", "skill", "95 % interval", "interval of the verdict", "error", "deviation", "why")
    rows = []
    for name, model in models.items():
        error = "rmse" if model["tipo"] == "regressor" else "brier"
        extra = (
            ""
            if error == "rmse"
            else f", AUC {_number(model['auc'], '.4f')} {_interval(model['intervals']['auc'])}"
        )
        calibration = "" if error == "rmse" else f", ECE {_number(model['ece'], '.4f')}"
        rows.append(
            (
                name,
                model["verdict"],
                _number(model["skill"], "+.4f"),
                _interval(model["intervals"]["skill"]),
                _interval(model["verdict_interval"]),
                f"{error} {_number(model[error], '.5f')}{extra}{calibration}",
                _number(model["prediction_deviation"], ".4f"),
                model["reason"] or "",
            )
        )
    return _table(head, rows, text=(1, 5, 7))


def _rule(rule: Mapping[str, Any]) -> str:
    return (
        "Skill is one minus the model's loss over that of its strongest baseline: 0 is what needs no model."
        f" <i>indícios</i>: the {rule['level']:.0%} interval lies above zero, on {rule['minimum_days']} days at"
        f" least, and in {rule['some_parts_positive']:.0%} of the parts skill is positive. <i>habilidade</i>:"
        f" also the {rule['skill_level']:.1%} interval, {rule['skill_days']} days,"
        f" {rule['parts_positive']:.0%} of {rule['parts']} parts, and the newest."
        f" A classifier whose probabilities deviate less than {rule['minimum_spread']} is <i>sem habilidade</i>,"
        " and so is all else."
    )


def _curves(models: Models) -> list[str]:
    drawings: tuple[tuple[str, Callable[[Models], str], str], ...] = (
        (
            "Reliability",
            figures.reliability,
            "Ten bins of equal numbers of rows; on the dashed line a model is right.",
        ),
        ("Skill over time", figures.folds, "Each part of the time with its 95 % interval."),
        ("Skill so far", figures.cumulative, "What each day added; the right end is the skill on all rows."),
        ("Skill by asset", figures.assets, f"Up to {figures.SHOWN} assets; grey ones have few days."),
        ("Skill by what the market was like", figures.regimes, ""),
    )
    return [_section(title, draw(models), note) for title, draw, note in drawings]


def _slices(models: Models, kind: str) -> str:
    first = next(iter(models.values()))[kind]
    labels = range(len(first)) if kind == "parts" else first
    rows = []
    for label in labels:
        entry = first[label]
        name = (
            f"{entry['number']}: {_day(entry['first'])} to {_day(entry['last'])}"
            if kind == "parts"
            else str(label)
        )
        cells = [
            f"{_number(model[kind][label]['skill'], '+.4f')} {_interval(model[kind][label]['skill_interval'])}"
            for model in models.values()
        ]
        rows.append((name + (" *" if entry["few"] else ""), f"{entry['rows']:,}", f"{entry['days']:,}", *cells))
    return _table(("", "rows", "days", *models), rows)


def _coverage(models: Models) -> str:
    """Ranges, where a release has any: a list of ``level, covered, interval, rows`` by model."""
    rows = [
        (
            name,
            f"{entry['level']:.0%}",
            _number(entry["covered"], ".4f"),
            _interval(entry["interval"]),
            f"{entry['rows']:,}",
        )
        for name, model in models.items()
        for entry in model["coverage"] or ()
    ]
    if not rows:
        return ""
    return _section(
        "Coverage of the ranges",
        _table(("model", "level", "covered", "95 % interval", "rows"), rows),
        _coverage_groups(models),
    )


def _coverage_groups(models: Models) -> str:
    """The same by year, by how loud the asset had been, and by part."""
    entries = [(name, entry) for name, model in models.items() for entry in model["coverage"] or ()]
    groups = [(kind, label) for kind in ("years", "loudness", "parts") for label in entries[0][1].get(kind, {})]
    rows = [
        (
            name,
            f"{entry['level']:.0%}",
            *(_number(entry.get(kind, {}).get(label, {}).get("covered"), ".3f") for kind, label in groups),
        )
        for name, entry in entries
    ]
    heads = [f"part {label}" if kind == "parts" else label for kind, label in groups]
    return _table(("model", "level", *heads), rows) if groups else ""


def _baselines(models: Models) -> str:
    rows = []
    for name, model in models.items():
        error = "rmse" if model["tipo"] == "regressor" else "brier"
        for baseline, entry in model["baselines"].items():
            rows.append(
                (
                    name,
                    baseline,
                    f"{error} {_number(entry[error], '.5f')}",
                    _number(entry["skill"], "+.4f"),
                    _interval(entry["skill_interval"]),
                )
            )
    return _table(("model", "baseline", "its error", "skill against it", "95 % interval"), rows, text=(1,))


def _illustration(models: Models, fee: float) -> str:
    rows = [
        (
            name,
            f"{model['ilustracao']['total']:+.1%}",
            f"{model['ilustracao']['hold_total']:+.1%}",
            f"{model['ilustracao']['daily']:+.5f} {_interval(model['ilustracao']['daily_interval'], '.5f')}",
            f"{model['ilustracao']['drawdown']:.1%}",
            f"{model['ilustracao']['long']:.1%}",
        )
        for name, model in models.items()
    ]
    head = (
        "model",
        "rule, all in all",
        "buy and hold",
        "daily log growth less holding's",
        "deepest fall",
        "rows long",
    )
    note = (
        "An illustration, and no part of any verdict: long where a rise is forecast, flat elsewhere, equal shares"
        f" of all coins, a fee of {fee:.2%} a side; no spread, no slippage, no limit of size. This is no advice."
    )
    return _section("Ilustração", note, _table(head, rows))


def _method(report: Mapping[str, Any]) -> str:
    method, scored = report["method"], report["scored"]
    bootstrap = method["bootstrap"]
    lines = [
        f"Intervals: {bootstrap['draws']:,} draws of {bootstrap['kind']}, {bootstrap['block_days']} days each,"
        f" seed {bootstrap['seed']}.",
        f"The seasonal baseline repeats the return of {method['season_candles']} candles ago;"
        f" {scored['without_season']:,} rows had none and stay.",
        f"MASE: errors over the mean absolute return of the asset in the training part,"
        f" {method['scale_rows']} rows at least, else of all assets.",
        f"Volatility: the deviation of the asset's last {method['volatility_candles']} returns, in thirds of all"
        f" rows. Market: the mean of all assets over {method['market_days']} days. Both as known at the forecast.",
    ]
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]], text: tuple[int, ...] = ()) -> str:
    def row(cells: Iterable[str]) -> str:
        marked = enumerate(cells)
        return "".join(
            f"<td{' class=text' if place in text else ''}>{escape(str(cell))}</td>" for place, cell in marked
        )

    header = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "\n".join(f"<tr>{row(cells)}</tr>" for cells in rows)
    return f"<table>\n<thead><tr>{header}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _interval(value: list[float] | None, form: str = ".4f") -> str:
    return "" if value is None else f"[{value[0]:{form}}, {value[1]:{form}}]"


def _day(time: str | None) -> str:
    return "" if time is None else escape(time[:10])
