"""The checks of ``cripto doctor``: each looks at one thing and says what it saw and what to do about it."""

import http.client
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from cripto.cli.cpus import cpu_limit, thread_counts
from cripto.cli.exchange_checks import ask_exchanges
from cripto.cli.models import bare_name, promoted
from cripto.cli.wiring import Installation
from cripto.errors import CriptoError, NoRelease, RetiredAsset, StorageDenied

__all__ = ["GROUPS", "Check", "every_check"]

Outcome = Literal["ok", "warning", "failed", "skipped"]

LOADING, ANSWERING, PREDICTING = GROUPS = ("models do not load", "the API does not answer", "predictions fail")
"""The seed's three lists of troubles."""

_GIB = 1 << 30
_CONNECT_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found; ``remedy`` says what to do unless there is nothing to be done."""

    group: str
    name: str
    outcome: Outcome
    detail: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """The check as JSON values."""
        return asdict(self)


def every_check(parts: Installation) -> Iterator[Check]:
    """Run the seed's troubleshooting lists in order; a check that is cut short by an error has failed."""
    checks: tuple[tuple[str, str, Callable[[Installation], Check]], ...] = (
        (LOADING, "permissions", _permissions),
        (LOADING, "files in the store", _release),
        (LOADING, "integrity", _integrity),
        (ANSWERING, "health", _health),
        (ANSWERING, "resources", _resources),
        (ANSWERING, "network", _network),
        (PREDICTING, "input data", _candles),
        (PREDICTING, "models", _models),
        (PREDICTING, "predictions", _predictions),
    )
    for group, name, check in checks:
        try:
            yield check(parts)
        except NoRelease as error:
            yield Check(group, name, "failed", str(error), "train one with `cripto train`")
        except StorageDenied as error:
            remedy = "give this identity read access to candles/ and models/ of the store"
            yield Check(group, name, "failed", str(error), remedy)
        except CriptoError as error:
            yield Check(group, name, "failed", str(error))
    yield from _exchanges(parts)


def _exchanges(parts: Installation) -> list[Check]:
    """Only warnings: a server needs no exchange, and candles may come from another machine."""
    asked = ask_exchanges(parts)
    if isinstance(asked, str):
        return [Check(PREDICTING, "exchanges", "skipped", asked)]
    return [
        Check(PREDICTING, f"exchange {name}", "warning" if remedy else "ok", seen, remedy)
        for name, seen, remedy in asked
    ]


def _permissions(parts: Installation) -> Check:
    for prefix in ("models/", "candles/"):
        next(parts.store.list(prefix), None)
    return Check(LOADING, "permissions", "ok", f"{parts.settings.store_url} can be listed and read")


def _release(parts: Installation) -> Check:
    version = promoted(parts)
    if version is None:
        name = bare_name(parts)
        if name is None:
            raise NoRelease("there is no release, and no joblib that can be served")
        refused = 0 if parts.bare is None else len(parts.bare.refused)
        detail = f"no release; joblibs without one are to be served as {name}, {refused} files are refused"
        remedy = "/models says which and why" if refused else ""
        return Check(LOADING, "files in the store", "warning" if refused else "ok", detail, remedy)
    count = len(parts.registry.versions())
    return Check(LOADING, "files in the store", "ok", f"{count} releases; {version} is to be served")


def _integrity(parts: Installation) -> Check:
    version = promoted(parts)
    if version is None:
        if bare_name(parts) is None:
            raise NoRelease
        detail = "there is no manifest to hold the files against"
        return Check(LOADING, "integrity", "skipped", detail, "publish a release with `cripto train`")
    manifest, signed_by = parts.registry.signed_manifest(version)
    findings = parts.registry.verify(manifest)
    if findings:
        remedy = "publish the release again, or promote another with `cripto models promote`"
        return Check(LOADING, "integrity", "failed", "; ".join(map(str, findings)), remedy)
    detail = f"{len(manifest.every_file)} files of {version} have the size and SHA-256 of the manifest"
    if parts.trust.keys:
        detail += f", signed by {signed_by or 'no trusted key'}"
    return Check(LOADING, "integrity", "ok", detail)


def _health(parts: Installation) -> Check:
    settings = parts.settings
    connection = http.client.HTTPConnection(settings.host, settings.port, timeout=_CONNECT_SECONDS)
    where = f"http://{settings.host}:{settings.port}/health"
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        body: dict[str, Any] = json.loads(response.read(1 << 20))
        status = str(body.get("status", body.get("title")))
    except (OSError, ValueError, AttributeError, http.client.HTTPException) as error:
        remedy = "start one with `cripto serve`, or set CRIPTO_HOST and PORT to the server's"
        return Check(ANSWERING, "health", "skipped", f"no server at {where} ({type(error).__name__})", remedy)
    finally:
        connection.close()
    outcome: Outcome = {"healthy": "ok", "degraded": "warning"}.get(status, "failed")  # type: ignore[assignment]
    remedy = "" if outcome == "ok" else "its own answer says why; so does its log (kubectl logs)"
    return Check(ANSWERING, "health", outcome, f"{where} answers {response.status} {status}", remedy)


def _resources(parts: Installation) -> Check:
    memory = _memory()
    url = urlsplit(parts.settings.store_url)
    folder = Path(url.path) if url.scheme == "file" else Path.cwd()
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free
    threads = ", ".join(f"{name}={count}" for name, count in thread_counts(os.environ).items()) or "not pinned"
    seen = [f"{cpu_limit()} CPUs may be used ({threads})", f"{free / _GIB:.1f} GiB of disk free"]
    if memory is not None:
        seen.append(f"{memory / _GIB:.1f} GiB of memory")
    poor = free < _GIB or (memory is not None and memory < _GIB)
    remedy = "serving wants 1 GiB of memory, training 2 GiB, and a store on disk room to grow" if poor else ""
    return Check(ANSWERING, "resources", "warning" if poor else "ok", ", ".join(seen), remedy)


def _memory() -> int | None:
    """The memory this process may use in bytes: the cgroup's limit, or what the machine has free."""
    limits = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
    found = [int(text) for path in limits if path.exists() and (text := path.read_text().strip()).isdigit()]
    meminfo = Path("/proc/meminfo")
    lines = meminfo.read_text().splitlines() if meminfo.exists() else []
    found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return min(found, default=None)


def _network(parts: Installation) -> Check:
    if not parts.settings.store_url.startswith("s3://"):
        return Check(ANSWERING, "network", "skipped", "the store is on this machine")
    region = os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
    url = urlsplit(os.environ.get("AWS_ENDPOINT_URL", f"https://s3.{region}.amazonaws.com"))
    host, port = url.hostname or "", url.port or (443 if url.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        remedy = "check DNS, routes, security groups and network policies, and AWS_ENDPOINT_URL"
        return Check(ANSWERING, "network", "failed", f"{host}:{port} cannot be reached: {error}", remedy)
    return Check(ANSWERING, "network", "ok", f"{host}:{port} can be reached")


def _candles(parts: Installation) -> Check:
    from cripto.market.quality import check_lake

    series = check_lake(parts.lake, parts.interval, now=parts.clock.now()).series
    if not series:
        remedy = "bring some with `cripto candles fetch` or `import`"
        return Check(PREDICTING, "input data", "failed", f"no {parts.interval} candles", remedy)
    gaps = sum(item.gaps > 0 for item in series)
    stale = sum(item.behind > 0 for item in series)
    detail = f"{len(series)} series; {gaps} with gaps, {stale} behind the clock"
    poor = gaps or stale
    remedy = "`cripto candles check` shows where; import the missing candles" if poor else ""
    return Check(PREDICTING, "input data", "warning" if poor else "ok", detail, remedy)


def _models(parts: Installation) -> Check:
    release = parts.service.load().release
    if release is None:
        raise NoRelease
    detail = f"the models of {release.version} load, and its features are known here"
    return Check(PREDICTING, "models", "ok", detail)


def _predictions(parts: Installation) -> Check:
    symbols = sorted({series.symbol for series in parts.lake.series(parts.interval)})
    outcomes = parts.service.forecasts(symbols)
    symbols = [symbol for symbol in symbols if not isinstance(outcomes[symbol], RetiredAsset)]
    outcomes = {symbol: outcomes[symbol] for symbol in symbols}
    failed = [f"{symbol}: {outcome}" for symbol, outcome in outcomes.items() if isinstance(outcome, CriptoError)]
    detail = f"{len(symbols) - len(failed)} of {len(symbols)} assets can be predicted"
    if failed:
        shown = "; ".join(failed[:3]) + ("; ..." if len(failed) > 3 else "")
        outcome: Outcome = "failed" if len(failed) == len(symbols) else "warning"
        return Check(PREDICTING, "predictions", outcome, f"{detail} ({shown})", "import more of their candles")
    return Check(PREDICTING, "predictions", "ok" if symbols else "failed", detail)
