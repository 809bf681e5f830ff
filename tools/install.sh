#!/bin/sh
# Install this checkout, editable, into a virtual environment: with uv where it can be had (a fifth of the time), else pip.
# usage: install.sh VENV REQUIREMENT ("." or ".[dev]")
set -eu
venv=$1
requirement=$2
if command -v uv >/dev/null 2>&1; then
    uv=uv
elif [ -x "$venv/bin/uv" ] || "$venv/bin/python" -m pip install --quiet --disable-pip-version-check uv 2>/dev/null; then
    uv=$venv/bin/uv
else
    uv=
fi
if [ -z "$uv" ] || ! "$uv" pip install --quiet --python "$venv/bin/python" --editable "$requirement"; then
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable "$requirement"
fi
# so that the first start is as fast as the next ones, also where PYTHONDONTWRITEBYTECODE is set
"$venv/bin/python" -m compileall -q harness stubs
