/** The names of a pod's units (DESIGN section 3). */

export type PodUnits = { readonly slice: string; readonly sandbox: string; app(name: string): string };

/** Unit names of a pod that is called `pod`: its name, or its UUID in 32 hex digits. */
export function podUnits(pod: string): PodUnits {
  const stem = `gantry-${escapeUnitName(pod)}`;
  return { slice: `${stem}.slice`, sandbox: `${stem}.service`, app: (name) => `${stem}.${name}.service` };
}

/**
 * Unit names of an installed pod: its sandbox is an instance of the template `gantry@.service`. An ACName needs no
 * escaping there.
 */
export function installedUnits(name: string): PodUnits {
  return { ...podUnits(name), sandbox: `gantry@${name}.service` };
}

/**
 * What systemd-escape(1) makes of a string: `/` becomes `-`, every byte outside `A-Za-z0-9:_.` and a leading `.`
 * become `\xNN`. A dash must be escaped: in a slice's name it means "inside of".
 */
export function escapeUnitName(text: string): string {
  return [...Buffer.from(text)].map(escapeByte).join("");
}

function escapeByte(byte: number, index: number): string {
  const character = String.fromCharCode(byte);
  if (character === "/") return "-";
  const kept = /[A-Za-z0-9:_]/.test(character) || (character === "." && index > 0);
  return kept ? character : `\\x${byte.toString(16).padStart(2, "0")}`;
}
