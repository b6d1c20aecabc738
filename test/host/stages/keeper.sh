#!/bin/bash
# Outside of all namespaces: makes the host's cgroups, runs its supervisor and removes what is left of both.
# A process of its own, so that the clean-up also happens when the test is killed: the supervisor ends with its input.
# stdin: commands for the supervisor; stdout: its reports.
set -eu
stages=$(dirname "$(readlink -f "$0")")
IFS=: read -r -a hierarchies <<<"$HOST_HIERARCHIES"

make_cgroups() {
  for hierarchy in "${hierarchies[@]}"; do
    mkdir "$hierarchy/$HOST_NAME"
    # A v1 cpuset without processors or memory nodes accepts no process.
    for file in cpuset.cpus cpuset.mems; do
      [ ! -f "$hierarchy/cgroup.clone_children" ] || [ ! -f "$hierarchy/$file" ] ||
        cat "$hierarchy/$file" >"$hierarchy/$HOST_NAME/$file"
    done
  done
}

# The last processes of a killed pid namespace may still be exiting: a cgroup is busy for some more milliseconds.
remove_cgroups() {
  for hierarchy in "${hierarchies[@]}"; do
    for _ in {1..3000}; do
      [ -d "$hierarchy/$HOST_NAME" ] || break
      find "$hierarchy/$HOST_NAME" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.02
    done
  done
}

clean_up() {
  remove_cgroups
  rm -rf --one-file-system "$HOST_DIRECTORY"
}

# The end of the test is the end of stdin; signals have no say. A handler, as what is ignored stays so in children.
trap : INT TERM HUP
trap clean_up EXIT
make_cgroups
# In a pid namespace of its own, so that the end of the supervisor is the end of everything it ever started.
setpriv --pdeathsig KILL unshare --mount --net --pid --fork --kill-child --propagation private \
  "$stages/supervisor.sh" 2>>"$HOST_DIRECTORY/stages.log" || :
