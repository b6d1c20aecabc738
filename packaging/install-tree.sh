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
ln -sfn ../../bin/gantry "$root/usr/lib/gantry/gantry-agent"
ln -sfn ../../bin/gantry "$root/usr/lib/gantry/gantry-pod"
ln -sfn ../../bin/gantry "$root/usr/lib/gantry/gantry-fetcher"
ln -sfn ../../bin/gantry "$root/usr/lib/gantry/gantry-verifier"
put build/bundle/cli.cjs usr/lib/gantry/cli.cjs
put build/bundle/cli-code.cjs usr/lib/gantry/cli-code.cjs
put build/bundle/cli-code.cache usr/lib/gantry/cli-code.cache
put build/bundle/agent.cjs usr/lib/gantry/agent.cjs
put build/bundle/agent-code.cjs usr/lib/gantry/agent-code.cjs
put build/bundle/agent-code.cache usr/lib/gantry/agent-code.cache
put build/bundle/fetcher.cjs usr/lib/gantry/fetcher.cjs
put build/bundle/fetcher-code.cjs usr/lib/gantry/fetcher-code.cjs
put build/bundle/fetcher-code.cache usr/lib/gantry/fetcher-code.cache
put build/bundle/verifier.cjs usr/lib/gantry/verifier.cjs
put build/bundle/verifier-code.cjs usr/lib/gantry/verifier-code.cjs
put build/bundle/verifier-code.cache usr/lib/gantry/verifier-code.cache
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
