#!/bin/sh
# Argo CD and a cache for it, as static programs beside its definitions: sh build.sh FOLDER VERSION VERSION-OF-MINIREDIS
set -eu
folder=$1
version=$2
cache=$3
PATH="$PATH:/usr/local/go/bin"
[ -x "$folder/argocd" ] && [ -x "$folder/cache" ] && exit 0
echo "building Argo CD $version; this takes some ten minutes on two cores"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
go mod init broadside.local/argo-cd >/dev/null 2>&1
module=$(go mod download -json "github.com/argoproj/argo-cd/v3@$version" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p')
[ -n "$module" ] || { echo "argo-cd@$version can't be had: this needs Go and the internet" >&2; exit 1; }
mkdir -p "$folder/crds"
cp "$module"/manifests/crds/*-crd.yaml "$folder/crds/"
chmod u+w "$folder"/crds/*

# What Argo CD keeps in Redis it can work out again, so a server that keeps it in memory is enough.
cat > main.go <<'GO'
package main

import (
	"log"
	"os"

	"github.com/alicebob/miniredis/v2"
)

func main() {
	if err := miniredis.NewMiniRedis().StartAddr(os.Args[1]); err != nil {
		log.Fatal(err)
	}
	select {}
}
GO
go get "github.com/alicebob/miniredis/v2@$cache"
CGO_ENABLED=0 go build -o "$folder/cache" .

cd "$module"
CGO_ENABLED=0 GOFLAGS=-buildvcs=false go build -ldflags='-s -w' -o "$folder/argocd.new" ./cmd
mv "$folder/argocd.new" "$folder/argocd"
