#!/bin/sh
# Lays out build/root as a package would install it; test hosts boot with it as a lower layer of their root.
set -eu
cd "$(dirname "$0")/.."
root=$PWD/build/root
DESTDIR=$root ninja -C build/native --quiet install >/dev/null
install -D -m 0644 build/bundle/cli.cjs "$root/usr/lib/gantry/cli.cjs"
install -D -m 0644 node_modules/systemd-journald/build/Release/journal_send.node "$root/usr/lib/gantry/journal_send.node"
for unit in units/*; do
  install -D -m 0644 "$unit" "$root/usr/lib/systemd/system/$(basename "$unit")"
done
