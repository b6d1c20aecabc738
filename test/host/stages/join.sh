#!/bin/bash
# First in the host's pid namespace, still in the machine's cgroup namespace: moves itself into the host's cgroups and
# only then unshares the cgroup namespace, so that the host sees its own cgroup as "/".
set -eu
IFS=: read -r -a hierarchies <<<"$HOST_HIERARCHIES"
for hierarchy in "${hierarchies[@]}"; do
  echo 0 >"$hierarchy/$HOST_NAME/cgroup.procs"
done
exec unshare --cgroup "$(dirname "$0")/boot.sh"
