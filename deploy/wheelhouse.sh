#!/bin/sh
# Fills deploy/build/wheels with all that the image installs: the run-time part of requirements.lock, each file checked
# against its hash there, and Wangge itself. After this the image needs no package index; `sha256sum -c SHA256SUMS`
# checks a wheelhouse that was carried elsewhere. Made with .venv's Python 3.11, for this machine's architecture.
set -eu
cd "$(dirname "$0")/.."
wheels=deploy/build/wheels
pip='.venv/bin/pip --disable-pip-version-check --quiet'

say() { printf 'wheelhouse: %s\n' "$*"; }

[ -x .venv/bin/pip ] || { say "there is no .venv: make install" >&2; exit 1; }
mkdir -p "$wheels/locked" "$wheels/own"
.venv/bin/python deploy/runtime_lock.py requirements.lock >deploy/build/run.lock.new
if ! cmp -s deploy/build/run.lock.new deploy/build/run.lock; then
    rm -f "$wheels"/locked/*
    $pip wheel --no-deps --require-hashes --requirement deploy/build/run.lock.new --wheel-dir "$wheels/locked"
    mv deploy/build/run.lock.new deploy/build/run.lock
fi
rm -rf deploy/build/run.lock.new deploy/build/source "$wheels"/own/*
mkdir deploy/build/source # a copy: setuptools would leave its work beside the sources, and take it up again
cp -R pyproject.toml requirements.in wangge services deploy/build/source/
$pip wheel --no-deps --no-build-isolation --wheel-dir "$wheels/own" ./deploy/build/source
rm -r deploy/build/source
(cd "$wheels" && sha256sum locked/*.whl own/*.whl >SHA256SUMS)
say "$(wc -l <"$wheels/SHA256SUMS") wheels, $(du -sh "$wheels" | cut -f1)"
