"""AWS Glue's job: candles of ``--store`` in, one published release out. docs/glue.md tells the arguments."""

import sys

from awsglue.utils import getResolvedOptions

from cripto.cli.glue import given, run

if __name__ == "__main__":
    run(getResolvedOptions(sys.argv, given(sys.argv)))
