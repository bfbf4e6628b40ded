"""A child process that is given bytes, bounded in time and in what it may answer, and always ended."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

__all__ = ["ChildFailed", "Limits", "run_child"]

_CHUNK = 1 << 16
_LAST_WORDS = 2_000


class ChildFailed(Exception):
    """The child gave no answer; the message says why, and ends with the last line it wrote of itself."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a child may take: wall-clock seconds, and bytes of answer."""

    seconds: float = 180.0
    answer: int = 1 << 29


def run_child(command: Sequence[str], request: bytes, environment: Mapping[str, str], limits: Limits) -> bytes:
    """Give ``request`` to the child's standard input and return all of its standard output.

    Pipes, not files: a parent killed at any moment leaves nothing behind. The child leads a process group of
    its own, which is killed whole when it ends, answers too much or takes too long. Raises `ChildFailed`.
    """
    try:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module, never a shell
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise ChildFailed(f"it could not be started: {error}") from error
    try:
        answer, words = _exchange(child, request, limits)
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        status = child.wait()
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()
    if status != 0:
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        raise ChildFailed(f"it ended by {how}{words}")
    return answer


def _exchange(child: subprocess.Popen[bytes], request: bytes, limits: Limits) -> tuple[bytes, str]:
    """Write and read side by side until the child has closed its ends; its answer and its last words."""
    deadline = time.monotonic() + limits.seconds
    pending, answer, words = memoryview(request), bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for pipe, event in (
            (child.stdin, selectors.EVENT_WRITE),
            (child.stdout, selectors.EVENT_READ),
            (child.stderr, selectors.EVENT_READ),
        ):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)
                selector.register(pipe, event)
        while selector.get_map():
            for key, _ in selector.select(_left(deadline, limits)):
                stream: IO[bytes] = key.fileobj  # type: ignore[assignment]
                if stream is child.stdin:
                    pending = _feed(stream, pending)
                    done = not pending
                else:
                    data = os.read(key.fd, _CHUNK)
                    done = not data
                    if stream is child.stdout:
                        answer += data
                    else:
                        words = (words + data)[-_LAST_WORDS:]
                if len(answer) > limits.answer:
                    raise ChildFailed(f"it answered more than {limits.answer} bytes")
                if done:
                    selector.unregister(stream)
                    stream.close()
    try:
        child.wait(_left(deadline, limits))
    except subprocess.TimeoutExpired:
        raise _late(limits) from None
    lines = words.decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return bytes(answer), f": {last[:300]}" if last else ""


def _feed(stream: IO[bytes], pending: memoryview) -> memoryview:
    """What is left of ``pending`` after one write; nothing, once the child no longer listens."""
    try:
        return pending[os.write(stream.fileno(), pending[:_CHUNK]) :]
    except BrokenPipeError:
        return pending[:0]


def _left(deadline: float, limits: Limits) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise _late(limits)
    return left


def _late(limits: Limits) -> ChildFailed:
    return ChildFailed(f"it was not done within {limits.seconds:g} s")
