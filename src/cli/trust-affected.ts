/** What a change of trust refuses, for people. */
import { printable, quoted } from "../base/text.ts";
import type { Affected } from "../manager/trust-verbs.ts";

/** A line for each pod and image; "" when nothing is affected. */
export function affectedText({ pods, images }: Affected): string {
  const lines = [
    ...pods.map(({ uuid, name, state, reason }) => {
      const when =
        state === "running" ? "runs on, and is refused at its next start" : "is refused from now on";
      return `pod ${quoted(name ?? uuid)} ${when}: ${printable(reason)}\n`;
    }),
    ...images.map(({ id, name, reason }) => {
      const image = `image ${quoted(name === "" ? id : name)}`;
      const text = printable(reason);
      return `${text.startsWith(image) ? text : `${image}: ${text}`}\n`;
    }),
  ];
  return lines.join("");
}
