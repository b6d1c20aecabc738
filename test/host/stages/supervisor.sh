#!/bin/bash
# Owns what survives a reboot of the host: its disk, its data directory and the "internet" (this network namespace).
# Commands on stdin: "boot", "cut" (lose what the data file system has not written). The end of stdin ends it all.
# Reports on stdout: "supervisor PID", "boot N PID", "ended N STATUS", "cut"; pids as the machine sees them.
set -eu
stages=$(dirname "$(readlink -f "$0")")
disk=$HOST_DIRECTORY/disk
exec 8>&1 9</proc/self/ns/net

mount_disk() {
  mkdir "$disk"
  mount -t tmpfs -o size=4g,mode=755 disk "$disk"
  mkdir "$disk"/{tree,upper,work,root,data}
  # A copy: overlayfs refuses (ELOOP) a layer that lies inside another, and the checkout does lie inside "/".
  [ -z "$HOST_TREE" ] || cp -a "$HOST_TREE/." "$disk/tree"
  case $HOST_DATA in
    tmpfs) mount -t tmpfs -o size=2g,mode=711 data "$disk/data" ;;
    *)
      truncate -s "$HOST_DATA" "$disk/data.img"
      mkfs.ext4 -q -F -m0 -E lazy_itable_init=1,lazy_journal_init=1 "$disk/data.img"
      mount_data
      chmod 711 "$disk/data"
      ;;
  esac
}

# The loop device is released by the kernel with its last mount, however this process ends. Under the lock that systemd
# takes, too, before it looks for a free one or removes one: mount(8) does not look again if what it found has gone.
mount_data() {
  flock --close /dev/loop-control mount -o loop "$disk/data.img" "$disk/data"
}

# FS_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH: whatever has not reached the disk never will.
cut_data() {
  python3 -c 'import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack("I", 2))' "$disk/data"
  umount "$disk/data"
  mount_data
  echo cut >&8
}

# systemd needs a terminal as its console: script allocates one and keeps the log. Its status is that of the boot;
# reboot(2) in a pid namespace ends with SIGHUP for a reboot (129) and SIGINT for a power-off (130).
run_boots() {
  while :; do
    boot=$(($(cat "$disk/boots" 2>/dev/null || echo 0) + 1))
    echo "$boot" >"$disk/boots"
    status=0
    HOST_BOOT=$boot script -qefc "exec unshare --mount --propagation private --pid --fork --kill-child \
      --uts --ipc --net '$stages/join.sh'" "$HOST_DIRECTORY/console.$boot" </dev/null >/dev/null || status=$?
    echo "ended $boot $status" >&8
    [ $status = 129 ] || break
  done
}

mount_disk
ip link set lo up
read -r pid _ </proc/self/stat
echo "supervisor $pid"
while read -r command; do
  case $command in
    boot) run_boots & ;;
    cut) cut_data ;;
  esac
done
