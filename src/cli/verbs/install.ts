/** `gantry install FILE` */
import { readText } from "../option-text.ts";
import { insecureOptions } from "../pod-request.ts";
import { fetchOptions } from "../prepare.ts";
import type { Verb } from "../verb.ts";
import { INSECURE, PULL_POLICY } from "./fetch.ts";

export const verb: Verb = {
  name: "install",
  synopsis: "[OPTION…] FILE",
  summary: "install a pod as gantry@NAME.service",
  details:
    "FILE is a pod manifest in JSON; the pod is called by its name key, else by the file's name without .json. Its " +
    "images are imported and the pod is prepared at once. Then: systemctl enable --now gantry@NAME. Installing again " +
    "replaces the definition; a pod that runs stays as it is until its next start.",
  options: [INSECURE, PULL_POLICY],
  operands: { min: 1, max: 1 },
  run: async (context, { options, operands: [file = ""] }) => {
    const { openInstaller } = await import("../../manager/open.ts");
    await using installer = await openInstaller(context);
    const text = readText(file);
    const pod = await installer.install({
      ...{ text, origin: file, insecureOptions: insecureOptions(options) },
      ...fetchOptions(context, options),
    });
    for (const warning of pod.warnings) context.err(`gantry: ${warning}\n`);
    context.out(`${pod.unit}\n`);
    return 0;
  },
};
