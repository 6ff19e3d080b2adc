#!/bin/sh
# Builds the readers that tests/test_deploy*.py use where they are: about two minutes, once, into .cache/deploy-checks/.
# promtool is taken out of Debian's package, which is not installed: that would start a Prometheus server here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
made=$(cd "$here/../.." && pwd)/.cache/deploy-checks
mkdir -p "$made"
cd "$here"
go build -o "$made/deploycheck" .
test -x "$made/actionlint" || GOBIN="$made" go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
if command -v apt-get >/dev/null && ! test -x "$made/promtool"; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    apt-get download -q prometheus || { apt-get update -q && apt-get download -q prometheus; }
    dpkg-deb -x prometheus_*.deb .
    mv usr/bin/promtool "$made/promtool"
fi
