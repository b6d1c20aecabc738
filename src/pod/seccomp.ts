/** appc's seccomp sets as a filter in the OCI runtime specification's terms. */
import { constants } from "node:os";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Seccomp } from "../stage1/plan.ts";

export type SeccompChoice = "default" | "none" | Seccomp;

export type SeccompSet = {
  readonly kind: "retain" | "remove";
  readonly set: readonly string[];
  readonly errno: string;
};

/** Sets whose meaning is the built-in profile. */
const DEFAULT_SETS: Readonly<Record<SeccompSet["kind"], readonly string[]>> = {
  retain: ["@gantry/default", "@rkt/default-whitelist", "@docker/default-whitelist"],
  remove: ["@gantry/default", "@rkt/default-blacklist", "@docker/default-blacklist"],
};
/** Sets that mask everything else and mean no filter at all. */
const UNFILTERED: Readonly<Record<SeccompSet["kind"], string>> = {
  retain: "@appc.io/all",
  remove: "@appc.io/empty",
};

/** native/plan/seccomp.c: what one rule of a launch plan may name. */
const NAMES_MAX = 1024;

/** What every process needs to come to life and to end: the executor's additions to a retain set. */
const LIFE_CYCLE = ["execve", "exit", "exit_group", "rt_sigreturn", "restart_syscall"];

/** The executor's block set, which a remove set adds to: what reaches past any namespace. */
const ALWAYS_BLOCKED = [
  "acct",
  "add_key",
  "bpf",
  "clock_adjtime",
  "clock_settime",
  "delete_module",
  "finit_module",
  "init_module",
  "ioperm",
  "iopl",
  "kexec_file_load",
  "kexec_load",
  "keyctl",
  "lookup_dcookie",
  "nfsservctl",
  "open_by_handle_at",
  "perf_event_open",
  "pivot_root",
  "quotactl",
  "reboot",
  "request_key",
  "settimeofday",
  "swapoff",
  "swapon",
  "sysfs",
  "syslog",
  "uselib",
  "userfaultfd",
  "ustat",
  "vhangup",
];

/** The filter that a set means. Throws BadManifest for a set that mixes, or a name that is none. */
export function seccompOf(choice: SeccompSet): SeccompChoice {
  const { kind, set } = choice;
  if (set.includes(UNFILTERED[kind])) return "none";
  const wildcards = set.filter((name) => name.startsWith("@"));
  if (wildcards.length === 0) return filterOf(choice);
  if (set.length === 1 && DEFAULT_SETS[kind].includes(set[0] ?? "")) return "default";
  throw new GantryError("Unsupported", `seccomp set ${quoted(wildcards[0] ?? "")} is not known here`, {
    hint: `name the system calls, or give ${DEFAULT_SETS[kind][0]} alone`,
  });
}

function filterOf({ kind, set, errno }: SeccompSet): Seccomp {
  const wrong = set.find((name) => !/^[a-z_][a-z0-9_]*$/.test(name));
  if (wrong !== undefined) throw new GantryError("BadManifest", `${quoted(wrong)} is not a system call`);
  if (new Set([...set, ...LIFE_CYCLE]).size > NAMES_MAX) {
    throw new GantryError("BadManifest", `a seccomp set has at most ${NAMES_MAX} system calls`);
  }
  const blocking = blockingAction(errno);
  if (kind === "retain") {
    return {
      defaultAction: blocking.action,
      ...(blocking.errnoRet === undefined ? {} : { defaultErrnoRet: blocking.errnoRet }),
      syscalls: [{ names: [...new Set([...set, ...LIFE_CYCLE])], action: "SCMP_ACT_ALLOW" }],
    };
  }
  const always = ALWAYS_BLOCKED.filter((name) => !set.includes(name));
  return {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [
      { names: [...new Set(set)], ...blocking },
      { names: always, action: "SCMP_ACT_ERRNO", errnoRet: constants.errno.EPERM },
    ],
  };
}

/** No errno: the process is killed by SIGSYS. */
function blockingAction(errno: string): { action: string; errnoRet?: number } {
  if (errno === "") return { action: "SCMP_ACT_KILL_PROCESS" };
  const number = (constants.errno as Readonly<Record<string, number>>)[errno];
  if (number === undefined)
    throw new GantryError("BadManifest", `${quoted(errno)} is not the name of an errno`);
  return { action: "SCMP_ACT_ERRNO", errnoRet: number };
}
