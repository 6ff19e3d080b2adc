#!/bin/sh
# Installs DVC into an environment of its own for the test of docs/data-versioning.md: `.cache/dvc/bin/dvc`. About a minute, once.
set -eu

version=3.67.1
folder=$(cd "$(dirname "$0")/.." && pwd)/.cache/dvc
if [ -x "$folder/bin/dvc" ] && "$folder/bin/dvc" --version | grep -qx "$version"; then
    echo "DVC $version is in $folder"
    exit 0
fi
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input "dvc==$version"
