#!/bin/sh
# Flux' controllers, each as a static program beside its definitions: sh build.sh FOLDER CONTROLLER@VERSION ...
set -eu
folder=$1
shift
PATH="$PATH:/usr/local/go/bin"
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
for wanted; do
    controller=${wanted%@*}
    [ -x "$folder/$controller" ] && continue
    echo "building Flux' $wanted; this takes some ten minutes on two cores"
    cd "$work"
    [ -e go.mod ] || go mod init broadside.local/flux >/dev/null 2>&1
    module=$(go mod download -json "github.com/fluxcd/$wanted" | sed -n 's/^[[:space:]]*"Dir": "\(.*\)",$/\1/p')
    [ -n "$module" ] || { echo "github.com/fluxcd/$wanted can't be had: this needs Go and the internet" >&2; exit 1; }
    mkdir -p "$folder/crds"
    cp -r "$module" "$controller"
    chmod -R u+w "$controller"
    cd "$controller"
    # Its definitions in Go lie beside it in its repository, and are a module of their own here.
    go mod edit "-dropreplace=github.com/fluxcd/$controller/api"
    CGO_ENABLED=0 GOFLAGS='-buildvcs=false -mod=mod' go build -ldflags='-s -w' -o "$folder/$controller.new" .
    cp config/crd/bases/*.yaml "$folder/crds/"
    mv "$folder/$controller.new" "$folder/$controller"
done
