#!/usr/bin/env bash
# Create the project's environment from the lock. Needs Python 3.11 or newer with pip, and nothing else.
# usage: tools/setup.sh VENV [spark]
set -euo pipefail
cd "$(dirname "$0")/.."
venv=$1
# Spark is a third of a gigabyte that few need
extras=(--all-extras --no-extra spark --no-extra glue)
[[ ${2:-} != spark ]] || extras=(--all-extras)
uv_version=0.13.9
export UV_PYTHON_DOWNLOADS=never UV_NO_PROGRESS=${CI:+1}
[[ -n $UV_NO_PROGRESS ]] || unset UV_NO_PROGRESS

python=
for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3 python3.12 python3.13 python; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$("$candidate" -c 'import sys; print(sys.executable)')
    break
  fi
done
[[ -n $python ]] || { echo "Python 3.11 or newer is needed; set PYTHON to one" >&2; exit 1; }

# --target needs neither ensurepip nor permission to touch the system's packages
if [[ $(.uv/bin/uv --version 2>/dev/null) != "uv $uv_version"* ]]; then
  rm -rf .uv
  "$python" -m pip install --quiet --disable-pip-version-check --no-warn-script-location --target .uv "uv==$uv_version"
fi

# uv does not read pip's configuration. Its certificate is passed on; where pip is told of another index,
# pip itself installs, from the same lock and with the same hashes.
pip_option() { "$python" -m pip config get ":env:.$1" 2>/dev/null || "$python" -m pip config get "global.$1" 2>/dev/null || true; }
cert=$(pip_option cert)
[[ -z $cert || -n ${SSL_CERT_FILE:-} ]] || export SSL_CERT_FILE=$cert

[[ -x $venv/bin/python ]] || .uv/bin/uv venv --quiet --seed --python "$python" "$venv"
if [[ -n $(pip_option index-url)$(pip_option no-index) ]]; then
  .uv/bin/uv export --quiet --frozen "${extras[@]}" --no-emit-project --output-file "$venv/locked.txt"
  "$venv/bin/python" -m pip install --quiet --require-hashes --no-deps --requirement "$venv/locked.txt"
  .uv/bin/uv pip install --quiet --python "$venv/bin/python" --no-deps --editable .
else
  UV_PROJECT_ENVIRONMENT=$venv .uv/bin/uv sync --quiet --frozen "${extras[@]}" --inexact
fi
