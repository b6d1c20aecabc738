/**
 * What Gantry tells the journal about the life of images and pods, and about trust. Each kind has a MESSAGE_ID, so that
 * `journalctl MESSAGE_ID=…` finds all of them. A pod's preparation is not among them: systemd tells of every start,
 * and loading the logger is a good part of what `gantry run` may take.
 */
export type Severity = "info" | "warn";

type Face = { readonly id: string; readonly severity: Severity };

export const EVENTS = {
  "image-imported": { id: "6f2f5c0de1b44a5f9d1a7c2b30c7e901", severity: "info" },
  "image-removed": { id: "6f2f5c0de1b44a5f9d1a7c2b30c7e902", severity: "info" },
  "image-insecure": { id: "6f2f5c0de1b44a5f9d1a7c2b30c7e903", severity: "warn" },
  "image-repaired": { id: "6f2f5c0de1b44a5f9d1a7c2b30c7e90d", severity: "warn" },
  "pod-removed": { id: "6f2f5c0de1b44a5f9d1a7c2b30c7e905", severity: "info" },
  "image-refused": { id: "6f2f5c0de1b44a5f9d1a7c2b30c7e90c", severity: "warn" },
  "start-refused": { id: "6f2f5c0de1b44a5f9d1a7c2b30c7e907", severity: "warn" },
  "trust-key-added": { id: "6f2f5c0de1b44a5f9d1a7c2b30c7e908", severity: "info" },
  "trust-key-removed": { id: "6f2f5c0de1b44a5f9d1a7c2b30c7e909", severity: "info" },
  "trust-rule-added": { id: "6f2f5c0de1b44a5f9d1a7c2b30c7e90a", severity: "info" },
  "trust-rule-removed": { id: "6f2f5c0de1b44a5f9d1a7c2b30c7e90b", severity: "info" },
  "garbage-collected": { id: "6f2f5c0de1b44a5f9d1a7c2b30c7e906", severity: "info" },
} as const satisfies Record<string, Face>;

export type EventKind = keyof typeof EVENTS;
