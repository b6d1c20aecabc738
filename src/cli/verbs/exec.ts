/** `gantry exec POD`: its help. The native half does the work (native/gantry/exec.c). */
import { nativeHalfMissing } from "../launch.ts";
import type { Verb } from "../verb.ts";

export const verb: Verb = {
  name: "exec",
  synopsis: "[OPTION…] POD [COMMAND [ARG…]]",
  summary: "run a command inside a running app",
  details:
    "COMMAND is /bin/sh unless it is given. It runs as the app does, with the same confinement, and its exit status is the " +
    "command's. Without --interactive and --tty it has a terminal where standard input and output are one.",
  options: [
    { name: "app", value: "NAME", help: "the app, where the pod has several" },
    { name: "user", value: "USER[:GROUP]", help: "user and group of the command, by name or id" },
    { name: "interactive", help: "connect standard input; -i for short" },
    { name: "tty", help: "give it a terminal; -t for short, and -it for both" },
  ],
  raw: true,
  run: () => Promise.reject(nativeHalfMissing("exec")),
};
