/** Files of /etc that the runtime brings into apps of Docker's kind. */
import { readFileSync } from "node:fs";
import type { PodDraft } from "./draft.ts";
import { PROVIDED_FILES } from "./plan.ts";

export type ProvidedFile = { readonly name: (typeof PROVIDED_FILES)[number]; readonly content: string };

/** Their content for this pod; with the host's network also the host's resolver. */
export function providedFiles(pod: PodDraft): ProvidedFile[] {
  if (pod.apps.every((app) => app.image.kind === "appc")) return [];
  return PROVIDED_FILES.map((name) => ({ name, content: contentOf(name, pod) }));
}

function contentOf(name: ProvidedFile["name"], pod: PodDraft): string {
  if (name === "hosts") return hosts(pod);
  if (name === "hostname") return `${pod.hostname}\n`;
  return pod.net === "host" ? hostResolver() : "";
}

function hosts(pod: PodDraft): string {
  return `127.0.0.1\tlocalhost ${pod.hostname}\n::1\tlocalhost ip6-localhost ip6-loopback\n`;
}

function hostResolver(): string {
  try {
    return readFileSync("/etc/resolv.conf", "utf8");
  } catch {
    // A host without a resolver gives its pods none.
    return "";
  }
}
