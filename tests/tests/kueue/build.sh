#!/bin/sh
# Kueue of a version, as a static program beside its definitions: sh build.sh FOLDER VERSION
set -eu
folder=$1
version=$2
PATH="$PATH:/usr/local/go/bin"
[ -x "$folder/kueue" ] && exit 0
echo "building Kueue $version; this takes some ten minutes on two cores"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
go mod init broadside.local/kueue >/dev/null 2>&1
module=$(go mod download -json "sigs.k8s.io/kueue@$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p')
[ -n "$module" ] || { echo "sigs.k8s.io/kueue@$version can't be had: this needs Go and the internet" >&2; exit 1; }
mkdir -p "$folder/crds"
cp "$module"/config/components/crd/bases/*.yaml "$folder/crds/"
chmod u+w "$folder"/crds/*
cd "$module"
CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -o "$folder/kueue.new" ./cmd/kueue
mv "$folder/kueue.new" "$folder/kueue"
