import os
import platform
import subprocess
import sys

import pytest

from cripto.training._fingerprint import fingerprint

ASK = "from cripto.training._fingerprint import fingerprint; print(fingerprint().numbers)"


def told(**environment: str) -> str:
    """What a process of its own says."""
    done = subprocess.run(
        [sys.executable, "-c", ASK], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.slow
def test_processes_of_one_machine_are_alike() -> None:
    assert told() == fingerprint().numbers
    assert platform.machine() in fingerprint().machine


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the names of processors are those of x86_64")
def test_another_kind_of_processor_is_told_apart() -> None:
    assert told(OPENBLAS_CORETYPE="Prescott") != fingerprint().numbers
