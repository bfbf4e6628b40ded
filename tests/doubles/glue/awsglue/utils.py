"""`getResolvedOptions` as Glue's behaves: what is asked for must be there, what is not asked for is ignored."""

import argparse
from collections.abc import Sequence
from typing import Any

__all__ = ["GlueArgumentError", "getResolvedOptions"]


class GlueArgumentError(Exception):
    pass


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise GlueArgumentError(message)


def getResolvedOptions(args: Sequence[str], options: Sequence[str]) -> dict[str, Any]:
    parser = _Parser()
    for reserved in ("job-bookmark-option", "JOB_ID", "JOB_RUN_ID", "SECURITY_CONFIGURATION", "TempDir"):
        parser.add_argument(f"--{reserved}", required=False)
    for option in options:
        parser.add_argument(f"--{option}", required=True)
    return vars(parser.parse_known_args(args[1:])[0])
