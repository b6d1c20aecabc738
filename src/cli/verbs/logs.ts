/** `gantry logs POD`: the journal of its apps, shown by journalctl. */
import { GantryError } from "../../base/errors.ts";
import { quoted } from "../../base/text.ts";
import { journalHas, runJournalctl } from "../journalctl.ts";
import type { OptionValues, Verb } from "../verb.ts";

const OUTPUTS = ["short", "short-iso", "short-precise", "cat", "json", "verbose"];

export const verb: Verb = {
  name: "logs",
  synopsis: "[OPTION…] POD",
  summary: "show what a pod's apps wrote",
  options: [
    { name: "follow", help: "go on with what they write from now on, until it is interrupted" },
    { name: "app", value: "NAME", help: "this app only" },
    { name: "lines", value: "N", help: "only the last N lines" },
    { name: "output", value: "FORM", choices: OUTPUTS, help: "as journalctl --output" },
  ],
  operands: { min: 1, max: 1 },
  run: async (context, { options, operands: [word = ""] }) => {
    const { openManager } = await import("../../manager/open.ts");
    await using manager = await openManager(context);
    const { uuid, apps } = await manager.podStatus(word);
    const app = options.value("app");
    if (app !== undefined && !apps.some(({ name }) => name === app)) {
      throw new GantryError("NoSuchApp", `pod ${quoted(word)} has no app ${quoted(app)}`);
    }
    const wanted = matches(uuid, app);
    if (context.uid !== 0 && !(await journalHas(wanted))) {
      context.err(
        `gantry: the journal has nothing of pod ${quoted(word)} that user ${context.uid} may read\n`,
      );
      context.err("hint: who is in the group systemd-journal or adm may read everything\n");
    }
    return await runJournalctl([...shape(options), ...wanted]);
  },
};

function shape(options: OptionValues): string[] {
  const lines = options.value("lines");
  if (lines !== undefined && !/^\d{1,9}$/.test(lines)) {
    throw new GantryError("Usage", `--lines: ${quoted(lines)} is not a number`);
  }
  const count = lines ?? (options.flag("follow") ? "all" : undefined);
  return [
    "--quiet",
    "--no-pager",
    `--output=${options.value("output") ?? "short"}`,
    ...(count === undefined ? [] : [`--lines=${count}`]),
    ...(options.flag("follow") ? ["--follow"] : []),
  ];
}

function matches(uuid: string, app: string | undefined): string[] {
  const pod = `GANTRY_POD_UUID=${uuid}`;
  return app === undefined ? [pod] : [pod, `GANTRY_APP=${app}`];
}
