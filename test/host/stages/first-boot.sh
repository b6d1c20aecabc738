#!/bin/bash
# Configures the host's root ($R) once: identity, names, test user, and masks for whatever acts on the machine.
set -eu
etc=$R/etc
units=$etc/systemd/system
mkdir -p "$units"

# The machine's own services (database servers and the like) stay off.
forget_machine_services() {
  rm -rf "$units"/*.wants "$etc"/rc?.d/[SK]* "$etc"/init.d/*
}

set_identity() {
  rm -f "$etc"/{machine-id,hostname,resolv.conf,hosts,fstab}
  tr -d - </proc/sys/kernel/random/uuid >"$etc/machine-id"
  echo "$HOST_NAME" >"$etc/hostname"
  echo "nameserver 203.0.113.1" >"$etc/resolv.conf"
  : >"$etc/fstab"
  cat >"$etc/hosts" <<END
127.0.0.1 localhost $HOST_NAME
203.0.113.1 registry.test aci.test inet.test
END
}

# As useradd would, 50 ms faster.
add_tester() {
  ! grep -q ^tester: "$etc/passwd" || return 0
  echo "tester:x:4711:4711:Tester:/home/tester:/bin/bash" >>"$etc/passwd"
  echo "tester:x:4711:" >>"$etc/group"
  echo "tester:*:19000:0:99999:7:::" >>"$etc/shadow"
  mkdir -p "$R/home/tester" "$R/var/lib/systemd/linger"
  chown 4711:4711 "$R/home/tester"
  chmod 700 "$R/home/tester"
  : >"$R/var/lib/systemd/linger/tester"
}

mask() {
  local unit
  for unit; do ln -sf /dev/null "$units/$unit"; done
}

mask_machine_units() {
  # devices
  mask systemd-udevd.service systemd-udevd-{control,kernel}.socket systemd-udev-{trigger,settle}.service \
    systemd-hwdb-update.service kmod-static-nodes.service modprobe@.service systemd-modules-load.service
  # state of the machine's kernel
  mask systemd-sysctl.service systemd-binfmt.service proc-sys-fs-binfmt_misc.{automount,mount} \
    systemd-pstore.service systemd-random-seed.service systemd-timesyncd.service
  # mounts
  mask systemd-remount-fs.service sys-kernel-{config,debug,tracing}.mount sys-fs-fuse-connections.mount \
    dev-hugepages.mount
  # terminals: agetty on the console would hang it up, which ends script with the status of a reboot
  mask getty.target getty-static.service console-getty.service systemd-vconsole-setup.service \
    systemd-ask-password-{console,wall}.path
  # first boot and housekeeping
  mask systemd-firstboot.service systemd-machine-id-commit.service ldconfig.service \
    systemd-journal-catalog-update.service systemd-update-utmp.service systemd-update-utmp-runlevel.service
  # timers: fstrim would trim the machine's disk
  mask fstrim.timer e2scrub_all.timer e2scrub_reap.service apt-daily.timer apt-daily-upgrade.timer \
    dpkg-db-backup.timer man-db.timer systemd-tmpfiles-clean.timer
}

configure_systemd() {
  mkdir -p "$etc/systemd/journald.conf.d" "$etc/systemd/system.conf.d"
  cat >"$etc/systemd/journald.conf.d/host.conf" <<END
[Journal]
Storage=persistent
SyncIntervalSec=1s
RateLimitIntervalSec=0
END
  cat >"$etc/systemd/system.conf.d/host.conf" <<END
[Manager]
DefaultTimeoutStopSec=15s
DefaultMemoryAccounting=yes
END
}

# systemd mounts a new /proc for a service with ProtectKernelTunables= and the like: there the host's own boot id, which
# is a bind mount (boot.sh), would be the machine's again.
keep_boot_id() {
  for unit in "$@"; do
    mkdir -p "$units/$unit.d"
    cat >"$units/$unit.d/boot-id.conf" <<END
[Service]
BindReadOnlyPaths=/proc/sys/kernel/random/boot_id
END
  done
}

[ "$HOST_ROOT" != / ] || forget_machine_services
set_identity
add_tester
mask_machine_units
configure_systemd
keep_boot_id gantry-agent.service gantry-gc.service
