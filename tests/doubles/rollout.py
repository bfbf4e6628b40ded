"""A Deployment, its Service and a load balancer in front, in small: real servers as pods, and a proxy of requests.

What Kubernetes does is played at the level of processes. A new pod takes requests once its readiness probe passes;
an old one is taken from the endpoints when it is told to end, which the proxy hears of only ``lag`` seconds later;
it gets SIGTERM after its preStop hook, and SIGKILL when its grace is over.
"""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.doubles.processes import free_port

__all__ = ["Deployment", "Pod", "Proxy", "RolloutStuck", "proxy"]

_PROBE_SECONDS = 0.1
_KEPT = ("content-type", "etag", "cache-control", "x-request-id")


class RolloutStuck(Exception):
    """A new pod was not ready when the deadline of its rollout had passed."""


@dataclass(eq=False)
class Pod:
    """One server process on a port of its own."""

    env: Mapping[str, str]
    cwd: Path
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes]" = field(init=False)

    def __post_init__(self) -> None:
        """Start it."""
        self.log = self.cwd / f"pod-{self.port}.log"
        with self.log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cripto.cli", "serve"],
                env={**os.environ, **self.env, "PORT": str(self.port)},
                cwd=self.cwd,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        """The readiness probe."""
        try:
            return httpx.get(f"{self.url}/health", timeout=30).status_code == 200
        except httpx.TransportError:
            return False

    def end(self, pre_stop: float, grace: float) -> int:
        """Be deleted: wait for the hook, then SIGTERM, and SIGKILL if that does not do; the exit code."""
        time.sleep(pre_stop)
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Proxy:
    """Forwards each request to one of the pods it knows of, in turn."""

    def __init__(self) -> None:
        """Know of none."""
        self._known: tuple[Pod, ...] = ()
        self._turn = itertools.count()
        self._client = httpx.AsyncClient(timeout=120)
        self.app = Starlette(routes=[Route("/{path:path}", self._forward)], lifespan=self._closing)

    def tell(self, pods: tuple[Pod, ...]) -> None:
        """Forward to these from now on."""
        self._known = pods

    @asynccontextmanager
    async def _closing(self, app: Starlette) -> AsyncIterator[None]:
        async with self._client:
            yield

    async def _forward(self, request: Request) -> Response:
        known = self._known
        if not known:
            return Response(status_code=503)
        pod = known[next(self._turn) % len(known)]
        try:
            answer = await self._client.get(f"{pod.url}{request.url.path}?{request.url.query}")
        except httpx.HTTPError:
            return Response(status_code=502)
        headers = {name: value for name, value in answer.headers.items() if name in _KEPT}
        return Response(answer.content, answer.status_code, headers)


@contextmanager
def proxy() -> Iterator[tuple[Proxy, str]]:
    """A proxy on a port of its own, and its URL."""
    front = Proxy()
    server = uvicorn.Server(uvicorn.Config(front.app, host="127.0.0.1", port=0, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, name="proxy")
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield front, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(120)


@dataclass
class Deployment:
    """Pods of one template behind a proxy: ``maxUnavailable`` 0 and ``maxSurge`` 1, as in the manifest.

    ``lag`` is how long the proxy goes on sending to a pod that is being deleted, ``deadline`` how long a rollout
    waits for a new pod; in seconds, as ``pre_stop`` and ``grace``.
    """

    front: Proxy
    cwd: Path
    lag: float = 1.0
    pre_stop: float = 2.0
    grace: float = 30.0
    deadline: float = 180.0
    pods: list[Pod] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)
    started: list[Pod] = field(default_factory=list)

    def start(self, env: Mapping[str, str], replicas: int = 2) -> None:
        """Start the first pods and wait for them."""
        self.pods = [self._new(env) for _ in range(replicas)]
        for pod in self.pods:
            self._wait(pod)
        self.front.tell(tuple(self.pods))

    def roll(self, env: Mapping[str, str]) -> None:
        """Replace the pods by such of the template ``env``, one by one; raise `RolloutStuck` if one never comes.

        A pod that never became ready is left behind as it is: `undo` ends it, as Kubernetes does.
        """
        for old in list(self.pods):
            new = self._new(env)
            self._wait(new)
            self.pods.append(new)
            self.front.tell(tuple(self.pods))
            self._delete(old)

    def undo(self) -> None:
        """End pods that never came to serve."""
        for pod in self.started:
            if pod not in self.pods and pod.process.poll() is None:
                self.exits.append(pod.end(0, self.grace))

    def close(self) -> None:
        """End everything that was started."""
        for pod in self.started:
            if pod.process.poll() is None:
                pod.process.kill()
                pod.process.wait()

    def _new(self, env: Mapping[str, str]) -> Pod:
        pod = Pod(env, self.cwd)
        self.started.append(pod)
        return pod

    def _wait(self, pod: Pod) -> None:
        end = time.monotonic() + self.deadline
        while not pod.ready():
            if pod.process.poll() is not None or time.monotonic() > end:
                raise RolloutStuck(pod.log.read_text()[-2000:])
            time.sleep(_PROBE_SECONDS)

    def _delete(self, pod: Pod) -> None:
        self.pods.remove(pod)
        left = tuple(self.pods)
        heard = threading.Timer(self.lag, lambda: self.front.tell(left))
        heard.start()
        self.exits.append(pod.end(self.pre_stop, self.grace))
        heard.join()
