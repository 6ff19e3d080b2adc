#!/bin/sh
# Builds FerretDB, a server that speaks MongoDB's protocol, for the tests marked `mongodb`; the result is `.cache/ferretdb`.
# Usage: tools/build_ferretdb.sh [FOLDER]   (default: .cache beside this folder; needs Go 1.22 or later; about 80 s, once)
set -eu

version=v1.24.0
module=github.com/FerretDB/FerretDB
cache=${1:-$(cd "$(dirname "$0")/.." && pwd)/.cache}
target=$cache/ferretdb

if [ -x "$target" ] && "$target" --version 2>/dev/null | grep -q "$version"; then
    echo "FerretDB $version is in $target"
    exit 0
fi

PATH=$PATH:/usr/local/go/bin
if ! command -v go >/dev/null; then
    echo "build_ferretdb: no Go toolchain on PATH or in /usr/local/go/bin; install Go 1.22 or later" >&2
    exit 1
fi

work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT

# `go install MODULE/cmd/ferretdb@VERSION` fails: the module proxy has no list of this module's versions.
mkdir "$work/pin"
cd "$work/pin"
cat >go.mod <<MOD
module pin

go 1.22

require $module $version
MOD
cat >pin.go <<GO
package pin

import _ "$module/cmd/ferretdb"
GO
# A package main cannot be imported, so `tidy` complains about that line alone; -e takes the dependencies all the same.
go mod tidy -e >"$work/tidy.log" 2>&1 || { cat "$work/tidy.log" >&2; exit 1; }

cp -R "$(go list -m -f '{{.Dir}}' "$module")" "$work/source"
chmod -R u+w "$work/source"
cd "$work/source"
# The module zip carries no git tag, and the server refuses to start without a version.
echo "$version" >build/version/version.txt
go build -tags ferretdb_no_postgresql -o "$work/ferretdb" ./cmd/ferretdb

mkdir -p "$cache"
# Copied beside its name and renamed, so that an interrupted build never leaves half a program there.
cp "$work/ferretdb" "$target.part"
mv "$target.part" "$target"
echo "FerretDB $version built: $target"
