/** What the keys of a pod manifest mean, by their path; pod-manifest.ts holds them against the schema. */

/** Keys whose own keys are described elsewhere. */
export const SAME_AS: Readonly<Record<string, string>> = {
  "apps[].app.isolators": "isolators",
  "apps[].mounts[].appVolume": "volumes",
  "ports[].podPort": "apps[].app.ports",
};

export const MEANINGS: Readonly<Record<string, string>> = {
  acKind: "What the document is.",
  acVersion: "The version of the specification it follows.",
  name: "Names the pod, and its units. Without one they carry its UUID.",
  hostname:
    "The host name inside of the pod; `gantry-` and its name, or the beginning of its id, unless said.",
  network: 'Networks to join. `["host"]` shares the host\'s; `["none"]` has the loopback interface only.',
  userns:
    "`pod`: user ids of the pod are a range of their own on the host. `host`: they are the host's, and root in the pod is root.",
  apps: "The apps, which are started together; at most 64.",
  "apps[].name": "Names the app, unique in the pod, and its unit.",
  "apps[].image": "The image that is the app's root file system.",
  "apps[].image.id":
    "Its id, or another name under which `gantry image list` knows it. A prepared pod's manifest holds the id.",
  "apps[].image.name": "One of its names; for people. Another one is replaced by one of them.",
  "apps[].image.labels": "Labels of the image, for people.",
  "apps[].image.labels[].name": "Name of a label.",
  "apps[].image.labels[].value": "Its value.",
  "apps[].app": "How the app runs. Without it, as its image says.",
  "apps[].app.exec": "Program and arguments; nothing is expanded.",
  "apps[].app.user": "User name of the image, or id.",
  "apps[].app.group": "Group name of the image, or id.",
  "apps[].app.supplementaryGIDs": "Further group ids.",
  "apps[].app.workingDirectory": "Absolute path.",
  "apps[].app.environment":
    "Variables. Nothing is inherited but what is named here and the few that every app gets.",
  "apps[].app.environment[].name": "Name of a variable.",
  "apps[].app.environment[].value": "Its value.",
  "apps[].app.eventHandlers": "Programs around the app's life. This version refuses a pod that has them.",
  "apps[].app.eventHandlers[].name": "When.",
  "apps[].app.eventHandlers[].exec": "What.",
  "apps[].app.mountPoints":
    "Places where the app expects volumes. For one that neither `volumes` nor `mounts` names, the app gets a volume of its own, which lives as long as the pod: an empty one, or, for an image of Docker's or OCI's kind, one that begins as what the image has there.",
  "apps[].app.mountPoints[].name": "The name of the volume that is mounted there.",
  "apps[].app.mountPoints[].path": "Absolute path inside of the app.",
  "apps[].app.mountPoints[].readOnly": "Whether the app may not write to it.",
  "apps[].app.ports": "Ports on which the app listens.",
  "apps[].app.ports[].name": "Name of a port.",
  "apps[].app.ports[].protocol": "`tcp` or `udp`.",
  "apps[].app.ports[].port": "The port, or the first of several.",
  "apps[].app.ports[].count": "How many.",
  "apps[].app.ports[].socketActivated": "Whether the app takes the socket from its service manager.",
  "apps[].app.isolators": "Limits of this app, and what it may do.",
  "apps[].app.userAnnotations": "Strings by name, for whoever reads the manifest.",
  "apps[].app.userLabels": "The same.",
  "apps[].readOnlyRootFS": "Whether the app's root file system is read-only.",
  "apps[].mounts": "Volumes to mount beside those of the mount points.",
  "apps[].mounts[].volume": "The volume's name.",
  "apps[].mounts[].path": "Absolute path inside of the app.",
  "apps[].mounts[].appVolume": "A volume of this app alone, instead of one of the pod's.",
  "apps[].annotations": "For whoever reads the manifest.",
  "apps[].annotations[].name": "Name of an annotation.",
  "apps[].annotations[].value": "Its value.",
  "apps[].args": "Arguments in place of the image's own, behind its entrypoint; only without `app`.",
  "apps[].restart":
    "When systemd starts the app again: a word of `Restart=`, or an object (systemd.service(5)).",
  "apps[].restart.policy": "The word.",
  "apps[].restart.delay": "Seconds before the app is started again.",
  "apps[].restart.limit": "How often; beyond it the app has failed.",
  "apps[].restart.limit.starts": "So many starts …",
  "apps[].restart.limit.interval": "… in so many seconds.",
  "apps[].log":
    "`pipe`: output goes to the journal, and to whoever follows the pod in the foreground. `journal`: straight to the journal. `null`: nowhere.",
  "apps[].stdin": "`stream`: input comes from `gantry run --interactive`.",
  "apps[].terminal": "Whether the app's streams are a terminal.",
  "apps[].ready":
    "When the app counts as started: with its `exec`, or when the `app` itself says so with sd_notify(3). By default as its image says.",
  "apps[].watchdog":
    "Seconds within which the app has to say WATCHDOG=1 with sd_notify(3) again; it finds them in WATCHDOG_USEC, and is ended with SIGABRT when it is late. Only with `ready` as `app`.",
  "apps[].stopTimeout": "Seconds between the stop signal and SIGKILL.",
  "apps[].stopSignal":
    "Name of the signal that asks the app to end, such as `SIGQUIT`. By default as its image says.",
  volumes: "What apps can mount. One that no app mounts is an error.",
  "volumes[].name": "Name of the volume, unique in the pod.",
  "volumes[].kind": "`empty`: a directory that lives as long as the pod. `host`: a path of the host.",
  "volumes[].mode": "Access mode of an empty volume, in octal.",
  "volumes[].uid": "Its owner, as an id inside of the pod.",
  "volumes[].gid": "Its group, likewise.",
  "volumes[].readOnly": "Whether no app may write to it.",
  "volumes[].source":
    "Absolute path on the host, of a host volume. Its files have the same owners, as numbers, for the apps as on the host: root's are root's. With `userns` as `pod` its file system, and those below it if `recursive`, must therefore be mountable with mapped ids, as mount_setattr(2) lists: ext4, XFS and Btrfs are, tmpfs since Linux 6.3; NFS, 9p and overlays are not, and want `userns` as `host`.",
  "volumes[].recursive": "Whether what is mounted below it on the host is there, too.",
  isolators: "Limits of the whole pod.",
  "isolators[].name": "One of those below.",
  "isolators[].value": "What it takes.",
  annotations: "For whoever reads the manifest.",
  "annotations[].name": "Name of an annotation.",
  "annotations[].value": "Its value.",
  ports: "Ports of the host that lead to apps. This version refuses a pod that has them.",
  "ports[].name": "The name of the app's port.",
  "ports[].hostPort": "The port of the host.",
  "ports[].hostIP": "The address of the host.",
  "ports[].podPort": "The app's port, if no app declares it.",
  userAnnotations: "Strings by name, for whoever reads the manifest.",
  userLabels: "The same.",
};

const QUANTITY = "quantities as 500m, 2, 128M or 1Gi";

export const ISOLATORS: Readonly<Record<string, string>> = {
  "resource/memory": `{"limit", "request"}, ${QUANTITY}: \`MemoryMax=\` and \`MemoryLow=\` in bytes.`,
  "resource/cpu": `{"limit", "request"}, ${QUANTITY}: \`CPUQuota=\` in cores, and the weight that goes with the request.`,
  "resource/pids": '{"limit"}: `TasksMax=`.',
  "os/linux/cpu-shares": "An integer from 2 to 262144, 1024 being normal; apps only.",
  "os/linux/oom-score-adj": "An integer from -1000 to 1000; apps only.",
  "os/linux/no-new-privileges": "true or false; apps only.",
  "os/linux/capabilities-retain-set": '{"set"}: exactly these capabilities; apps only.',
  "os/linux/capabilities-remove-set": '{"set"}: the default capabilities without these; apps only.',
  "os/linux/seccomp-retain-set": '{"set", "errno"}: only these system calls, or groups of them; apps only.',
  "os/linux/seccomp-remove-set": '{"set", "errno"}: all system calls but these; apps only.',
  "os/linux/apparmor-profile": "Can't be enforced by this version, which refuses the pod.",
};
