#!/bin/sh
# Lays out build/root as a package would install it; test hosts boot with it as a lower layer of their root.
set -eu
cd "$(dirname "$0")/.."
root=$PWD/build/root

# Unchanged files stay as they are: a running test host may have them open.
put() {
  install -D -C -m 0644 "$1" "$root/$2"
}

DESTDIR=$root meson install -C build/native --no-rebuild --only-changed --quiet
put build/bundle/cli.cjs usr/lib/gantry/cli.cjs
put build/bundle/journal_send.node usr/lib/gantry/journal_send.node
for unit in units/*; do
  put "$unit" "usr/lib/systemd/system/$(basename "$unit")"
done
