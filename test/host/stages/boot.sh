#!/bin/bash
# One boot: network, mounts, configuration, pivot_root, systemd.
set -eu
stages=$(dirname "$0")
export R=$HOST_DIRECTORY/disk/root
terminal=$(tty)
# What would let root in the host change the machine itself: its clock, its kernel, its log. (See also ../enter.ts.)
drop=-sys_time,-sys_module,-sys_rawio,-syslog,-wake_alarm,-mac_admin,-mac_override,-audit_control

# The end of the previous boot's pair may still exist: the internet's side has the boot's number.
set_up_network() {
  ip link set lo up
  ip link add eth0 type veth peer name "inet$HOST_BOOT" netns /proc/self/fd/9
  nsenter --net=/proc/self/fd/9 sh -c \
    "ip addr add 203.0.113.1/24 dev inet$HOST_BOOT; ip link set inet$HOST_BOOT up"
  ip addr add 203.0.113.2/24 dev eth0
  ip link set eth0 up
  ip route add default via 203.0.113.1
}

mount_root() {
  local disk=$HOST_DIRECTORY/disk
  mount -t overlay overlay -o "lowerdir=$disk/tree:$HOST_ROOT,upperdir=$disk/upper,workdir=$disk/work" "$R"
  mkdir -p "$R"/{proc,sys,dev,run,tmp,var/lib/gantry}
}

# /run/host holds one complete proc and one complete sysfs: the kernel lets a user namespace mount its own only where
# a fully visible one exists, and those below are patched.
mount_run() {
  mount -t tmpfs -o mode=755 tmpfs "$R/run"
  mkdir -m 700 "$R/run/host"
  mkdir "$R"/run/host/{proc,sys}
  mount -t proc proc "$R/run/host/proc"
  mount -t sysfs sysfs "$R/run/host/sys"
}

# Sysctls are the machine's, save those of the network namespace.
mount_proc() {
  mount -t proc proc "$R/proc"
  mount --bind "$R/proc/sys" "$R/proc/sys"
  mount --bind "$R/proc/sys/net" "$R/proc/sys/net"
  mount -o remount,bind,ro "$R/proc/sys"
  if [ -e "$R/proc/sysrq-trigger" ]; then
    mount --bind "$R/proc/sysrq-trigger" "$R/proc/sysrq-trigger"
    mount -o remount,bind,ro "$R/proc/sysrq-trigger"
  fi
}

# A boot id per boot: without it journald, and everything that detects stale state, sees a single boot.
mount_boot_id() {
  cat /proc/sys/kernel/random/uuid >"$HOST_DIRECTORY/boot-id.$HOST_BOOT"
  mount --bind "$HOST_DIRECTORY/boot-id.$HOST_BOOT" "$R/proc/sys/kernel/random/boot_id"
}

# Read-only: nothing in the host triggers uevents of the machine's devices.
mount_sys() {
  mount -t sysfs -o ro sysfs "$R/sys"
  if [ "$HOST_CGROUPS" = unified ]; then
    mount -t cgroup2 -o nsdelegate cgroup2 "$R/sys/fs/cgroup"
  else
    mount_hybrid_cgroups "$R/sys/fs/cgroup"
  fi
}

mount_hybrid_cgroups() {
  local hierarchy name controller
  mount -t tmpfs -o mode=755 tmpfs "$1"
  for hierarchy in "${hierarchies[@]}"; do
    name=${hierarchy##*/}
    mkdir "$1/$name"
    case $name in
      unified) mount -t cgroup2 cgroup2 "$1/$name" ;;
      systemd) mount -t cgroup -o none,name=systemd cgroup "$1/$name" ;;
      *) mount -t cgroup -o "$name" cgroup "$1/$name" ;;
    esac
    case $name in *,*) for controller in ${name//,/ }; do ln -s "$name" "$1/$controller"; done ;; esac
  done
  mount -o remount,ro "$1"
}

# Nodes of its own: which loop devices the machine has changes all the time. The kernel adds one when none is free, and
# systemd (systemd-sysext, for one) removes the one it has used. A free one without a node reads as "busy" in the end.
make_loop_nodes() {
  python3 -c 'import os, stat, sys
for number in range(64):
    os.mknod(f"{sys.argv[1]}/loop{number}", stat.S_IFBLK | 0o600, os.makedev(7, number))' "$R/dev"
}

mount_dev() {
  local device
  mount -t tmpfs -o mode=1777 tmpfs "$R/tmp"
  mount -t tmpfs -o mode=755 tmpfs "$R/dev"
  mkdir "$R"/dev/{pts,shm,net}
  for device in null zero full random urandom tty fuse kvm net/tun loop-control; do
    [ -e "/dev/$device" ] || continue
    touch "$R/dev/$device"
    mount --bind "/dev/$device" "$R/dev/$device"
  done
  make_loop_nodes
  mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$R/dev/pts"
  mount -t tmpfs -o mode=1777 tmpfs "$R/dev/shm"
  ln -s pts/ptmx "$R/dev/ptmx"
  ln -s /proc/self/fd "$R/dev/fd"
  ln -s fd/0 "$R/dev/stdin"
  ln -s fd/1 "$R/dev/stdout"
  ln -s fd/2 "$R/dev/stderr"
  touch "$R/dev/console"
  mount --bind "$terminal" "$R/dev/console"
}

# The journal lies on the machine's disk and is readable after the host's end, however it ended.
mount_data() {
  local journal
  journal=$R/var/log/journal/$(cat "$R/etc/machine-id")
  mkdir -p "$journal" "$HOST_DIRECTORY/journal"
  mount --bind "$HOST_DIRECTORY/journal" "$journal"
  mount --bind "$HOST_DIRECTORY/disk/data" "$R/var/lib/gantry"
  if [ -n "$HOST_NODE" ] && [ ! -x "$R$HOST_NODE" ]; then
    mkdir -p "$R/usr/local/bin"
    touch "$R/usr/local/bin/node"
    mount -o bind,ro "$HOST_NODE" "$R/usr/local/bin/node"
  fi
}

# Below /tmp, or on a file system of its own, the checkout is no part of the machine's root as the host sees it.
mount_checkout() {
  local disk=$HOST_DIRECTORY/disk/checkout
  [ "$HOST_ROOT" = / ] && [ ! -e "$R$HOST_CHECKOUT/package.json" ] || return 0
  mkdir -p "$R$HOST_CHECKOUT" "$disk/upper" "$disk/work"
  mount -t overlay overlay -o "lowerdir=$HOST_CHECKOUT,upperdir=$disk/upper,workdir=$disk/work" "$R$HOST_CHECKOUT"
}

pivot() {
  cd "$R"
  mkdir -p .old
  pivot_root . .old
  cd /
  umount -l /.old
  # What systemd does at boot, save in a container: mounts made by a service in a namespace of its own arrive here.
  mount --make-rshared /
}

IFS=: read -r -a hierarchies <<<"$HOST_HIERARCHIES"
mapfile -t environment <<<"$HOST_ENV"
read -r pid _ </proc/self/stat
set_up_network
mount_root
mount_run
mount_proc
mount_boot_id
mount_sys
mount_dev
[ "$HOST_BOOT" != 1 ] || "$stages/first-boot.sh"
mount_data
mount_checkout
pivot
echo "boot $HOST_BOOT $pid" >&8
exec env -i container=gantry-test "${environment[@]}" setpriv --bounding-set "$drop" --inh-caps -all \
  /lib/systemd/systemd </dev/console >/dev/console 2>&1 8>&- 9<&-
