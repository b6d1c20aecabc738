#!/bin/sh
# Builds the native programs (build/native).
set -eu
cd "$(dirname "$0")/.."
[ -f build/native/build.ninja ] || meson setup build/native native --prefix=/usr --libexecdir=lib/gantry
ninja -C build/native --quiet
