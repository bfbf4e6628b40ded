"""How each contender is started: this service, and the yardsticks beside it."""

import os
import shutil
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.serving.bare import write_answer
from benchmarks.serving.bench import Bench
from benchmarks.serving.client import Answer
from benchmarks.serving.outcome import LeftOut
from benchmarks.serving.process import Server, started
from benchmarks.serving.stores import Stores
from cripto.settings import Settings

__all__ = ["bare", "granian", "naive", "nginx", "ours", "warming"]

ROOT = Path(__file__).parents[2]
_NGINX = """\
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
{user}
events {{ }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  # as many as the others allow: by default it closes a connection after a thousand
  keepalive_requests 1000000000;
  default_type application/json;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


def ours(
    bench: Bench,
    store: Path,
    name: str = "ours",
    path: str = "/symbol/BTC",
    settings: Mapping[str, str] | None = None,
) -> AbstractContextManager[Server]:
    """``cripto serve`` on ``store``; ``settings`` beside the store's."""
    env = {**Stores.settings(store), **(settings or {})}
    command = [sys.executable, "-m", "cripto.cli", "serve"]
    return started(name, command, env=env, core=bench.cores.server, folder=bench.folder, path=path)


def warming(assets: int) -> dict[str, str]:
    """The setting of how many assets are answered in advance; empty where there is none, and all of them are."""
    return {"CRIPTO_WARM_ASSETS": str(assets)} if "warm_assets" in Settings.model_fields else {}


def bare(bench: Bench, answer: Answer) -> AbstractContextManager[Server]:
    """The same bytes and headers by an ASGI application that does nothing, on the same server."""
    command = [sys.executable, "-m", "benchmarks.serving.bare", "{port}"]
    return started("bare", command, env=_bare(bench, answer), core=bench.cores.server, folder=bench.folder)


def granian(bench: Bench, answer: Answer) -> AbstractContextManager[Server]:
    """The same application on granian."""
    program = Path(sys.executable).with_name("granian")
    if not program.exists():
        raise LeftOut("granian is not installed (`make setup` does)")
    options = "--interface asginl --workers 1 --loop uvloop --no-access-log --no-ws --log-level warning --factory"
    command: list[str | Path] = [program, *options.split(), "--host", "127.0.0.1", "--port", "{port}"]
    command += ["benchmarks.serving.bare:create"]
    return started("granian", command, env=_bare(bench, answer), core=bench.cores.server, folder=bench.folder)


def naive(bench: Bench, store: Path) -> AbstractContextManager[Server]:
    """FastAPI, joblib and a DataFrame a request, on the same server; see `benchmarks.serving.naive`."""
    command = [sys.executable, "-m", "uvicorn", "--factory", "--no-access-log", "--port", "{port}"]
    command += ["benchmarks.serving.naive:create"]
    env = {"NAIVE_STORE": str(store), "PYTHONPATH": str(ROOT)}
    return started("naive", command, env=env, core=bench.cores.server, folder=bench.folder)


def nginx(bench: Bench, answer: Answer, port: int) -> AbstractContextManager[Server]:
    """The same bytes as a file, by one worker with a configuration of its own; no system service is touched."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        raise LeftOut("nginx is not installed (`make debian-bench` does, as root)")
    folder = bench.folder / "nginx"
    (folder / "files" / "symbol").mkdir(parents=True)
    (folder / "files" / "symbol" / "BTC").write_bytes(answer.body)
    # started as root, its workers would be nobody's, and not allowed to read our folder
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=port, user=user))
    command: list[str | Path] = [program, "-e", folder / "nginx-error.log", "-c", folder / "nginx.conf"]
    return started("nginx", command, env={}, core=bench.cores.server, folder=bench.folder, port=port)


def _bare(bench: Bench, answer: Answer) -> dict[str, str]:
    path = bench.folder / "answer.json"
    write_answer(answer, path)
    return {"BARE_ANSWER": str(path), "PYTHONPATH": str(ROOT)}
