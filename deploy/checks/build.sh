#!/bin/sh
# Builds the two readers that tests/test_deploy.py uses where they are: about two minutes, once, into .cache/deploy-checks/.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
made=$(cd "$here/../.." && pwd)/.cache/deploy-checks
mkdir -p "$made"
cd "$here"
test -x "$made/deploycheck" || go build -o "$made/deploycheck" .
test -x "$made/actionlint" || GOBIN="$made" go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
