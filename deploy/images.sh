#!/bin/sh
# Builds the images: `wangge`, and with --servers also `wangge-postgres`, `wangge-rabbitmq` and `wangge-redis`.
#   BASE     the image to build on. Without it: wangge-base, made by base-image.sh, so no registry is asked.
#   VERSION  the images' tag. Without it: Wangge's version, and `latest`.
set -eu
cd "$(dirname "$0")/.."
version=${VERSION:-$(.venv/bin/python -c 'import wangge; print(wangge.__version__)')}
base=${BASE:-wangge-base:bookworm}

say() { printf 'images: %s\n' "$*"; }

docker version >/dev/null 2>&1 || { say "no Docker engine answers (Debian: apt-get install docker.io)" >&2; exit 1; }

build() { # image, the rest for docker build
    image=$1:$version
    shift
    docker build --quiet --build-arg "BASE=$base" --tag "$image" --tag "${image%:*}:${VERSION:-latest}" "$@" >/dev/null
    say "$image: $(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%d MB", $1 / 1000000 }')"
}

[ -n "${BASE:-}" ] || deploy/base-image.sh "$base"
deploy/wheelhouse.sh

context=deploy/build/context
rm -rf "$context"
mkdir -p "$context"
cp -Rl deploy/build/wheels "$context/wheels"
cp -R deploy/servers deploy/healthy.py "$context"
revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
build wangge --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --file deploy/Dockerfile "$context"
if [ "${1:-}" = --servers ]; then
    for server in postgres rabbitmq redis; do
        build "wangge-$server" --target "$server" --file deploy/Dockerfile.servers "$context"
    done
fi
rm -rf "$context"
