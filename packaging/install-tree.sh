#!/bin/sh
# install-tree.sh [ROOT]
# Lays out build/root, or ROOT, as a package installs it; test hosts boot with it as a lower layer of their root.
set -eu
cd "$(dirname "$0")/.."
root=$(realpath -m "${1:-build/root}")

# Unchanged files stay as they are: a running test host may have them open.
put() {
  install -D -C -m 0644 "$1" "$root/$2"
}

DESTDIR=$root meson install -C build/native --no-rebuild --only-changed --quiet
for name in agent pod fetcher verifier; do
  ln -sfn ../../bin/gantry "$root/usr/lib/gantry/gantry-$name"
done
for process in cli agent fetcher verifier; do
  for part in $process.cjs $process-code.cjs $process-code.cache; do
    put "build/bundle/$part" "usr/lib/gantry/$part"
  done
done
put build/bundle/journal_send.node usr/lib/gantry/journal_send.node
for unit in units/*; do
  put "$unit" "usr/lib/systemd/system/$(basename "$unit")"
done
put packaging/dbus/org.gantry1.conf usr/share/dbus-1/system.d/org.gantry1.conf
put packaging/dbus/org.gantry1.service usr/share/dbus-1/system-services/org.gantry1.service
for interface in packaging/dbus/interfaces/*.xml; do
  put "$interface" "usr/share/dbus-1/interfaces/$(basename "$interface")"
done
put packaging/polkit/org.gantry1.policy usr/share/polkit-1/actions/org.gantry1.policy
put packaging/polkit/50-gantry-web.rules usr/share/doc/gantry/examples/50-gantry-web.rules
# Links of the vendor instead of [Install] sections: they need nothing in /etc, and `systemctl mask` governs both units.
ln -sfn gantry-agent.service "$root/usr/lib/systemd/system/dbus-org.gantry1.service"
mkdir -p "$root/usr/lib/systemd/system/timers.target.wants"
ln -sfn ../gantry-gc.timer "$root/usr/lib/systemd/system/timers.target.wants/gantry-gc.timer"
put packaging/tmpfiles.d/gantry.conf usr/lib/tmpfiles.d/gantry.conf
put build/completions/gantry usr/share/bash-completion/completions/gantry
put build/completions/gantry.fish usr/share/fish/vendor_completions.d/gantry.fish
put build/completions/_gantry usr/share/zsh/vendor-completions/_gantry
for page in build/manual/man*/*; do
  put "$page" "usr/share/man${page#build/manual}"
done
