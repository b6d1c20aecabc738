#!/bin/sh
# build-native.sh [DIRECTORY [MESON OPTION…]]
# Builds the native programs in build/native, or DIRECTORY.
set -eu
cd "$(dirname "$0")/.."
directory=${1:-build/native}
[ $# = 0 ] || shift
[ -f "$directory/build.ninja" ] || meson setup "$directory" native --prefix=/usr --libexecdir=lib/gantry "$@"
ninja -C "$directory" --quiet
