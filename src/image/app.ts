/**
 * An OCI configuration as the app it means, with Docker's semantics (OCI image specification, config.md and
 * conversion.md).
 */
import { constants } from "node:os";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Execution } from "./oci.ts";
import type { ImageApp } from "./record.ts";

type Port = ImageApp["ports"][number];
type MountPoint = ImageApp["mountPoints"][number];

/** `what` names the document in errors. Throws BadImage. */
export function executionApp(execution: Execution, what: string): ImageApp {
  return {
    entrypoint: [...(execution.Entrypoint ?? [])],
    cmd: [...(execution.Cmd ?? [])],
    environment: environmentOf(execution.Env ?? []),
    user: execution.User ?? "",
    group: "",
    supplementaryGids: [],
    workingDirectory: absolutePath(execution.WorkingDir ?? ""),
    stopSignal: signalName(execution.StopSignal ?? "SIGTERM", what),
    mountPoints: mountPointsOf(Object.keys(execution.Volumes ?? {})),
    ports: Object.keys(execution.ExposedPorts ?? {}).map((port) => parsePort(port, what)),
    isolators: [],
    notifies: false,
  };
}

/** Docker drops entries without `=` (they mean "unset") and lets the last of a name win. */
function environmentOf(entries: readonly string[]): ImageApp["environment"] {
  const variables = new Map<string, string>();
  for (const entry of entries) {
    const at = entry.indexOf("=");
    if (at > 0) variables.set(entry.slice(0, at), entry.slice(at + 1));
  }
  return [...variables].map(([name, value]) => ({ name, value }));
}

function absolutePath(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** A signal's name as systemd takes it. `text` is a name with or without SIG, or a number. Throws BadImage. */
export function signalName(text: string, what: string): string {
  const name = /^\d+$/.test(text)
    ? nameOfNumber(Number(text))
    : `SIG${text.toUpperCase().replace(/^SIG/, "")}`;
  if (name !== undefined && (name in constants.signals || isRealTime(name))) return name;
  throw new GantryError("BadImage", `${what} has the unknown stop signal ${quoted(text)}`);
}

function nameOfNumber(number: number): string | undefined {
  // 34 to 64 are glibc's real-time signals, which Node does not list.
  if (number >= 34 && number <= 64) return number === 34 ? "SIGRTMIN" : `SIGRTMIN+${number - 34}`;
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
}

function isRealTime(name: string): boolean {
  const match = /^SIGRTM(?:IN(?:\+(\d{1,2}))?|AX(?:-(\d{1,2}))?)$/.exec(name);
  return match !== null && Number(match[1] ?? match[2] ?? 0) <= 30;
}

/** `port[-port][/protocol]`. */
function parsePort(text: string, what: string): Port {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/([a-z]+))?$/.exec(text);
  const [, first, last = first, protocol = "tcp"] = match ?? [];
  const port = Number(first);
  const count = Number(last) - port + 1;
  if (match === null || !isProtocol(protocol) || port < 1 || count < 1 || Number(last) > 65535) {
    throw new GantryError("BadImage", `${what} exposes the malformed port ${quoted(text)}`);
  }
  return { name: text.replace("/", "-"), protocol, port, count };
}

function isProtocol(text: string): text is Port["protocol"] {
  return text === "tcp" || text === "udp" || text === "sctp";
}

/** Named `volume-<path with dashes>`, sorted by path; a name that is taken gets `-1`, `-2` … */
function mountPointsOf(paths: readonly string[]): MountPoint[] {
  const taken = new Set<string>();
  return [...paths].sort().map((path) => ({
    name: volumeName(path, taken),
    path: absolutePath(path),
    readOnly: false,
  }));
}

function volumeName(path: string, taken: Set<string>): string {
  const base = `volume-${path}`
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/-$/, "");
  let name = base;
  for (let n = 1; taken.has(name); n++) name = `${base}-${n}`;
  taken.add(name);
  return name;
}
