/** Writes what is generated for people at a terminal: build/manual and build/completions. */
import { mkdir, writeFile } from "node:fs/promises";
import { bashCompletion } from "../src/cli/completion/bash.ts";
import { fishCompletion } from "../src/cli/completion/fish.ts";
import { completedVerbs } from "../src/cli/completion/words.ts";
import { zshCompletion } from "../src/cli/completion/zsh.ts";
import { writePages } from "./manual/pages.ts";

const COMPLETIONS = "build/completions";

await writePages("build/manual");
await mkdir(COMPLETIONS, { recursive: true });
const verbs = await completedVerbs();
// Each under the name by which its shell finds it.
await writeFile(`${COMPLETIONS}/gantry`, bashCompletion(verbs));
await writeFile(`${COMPLETIONS}/gantry.fish`, fishCompletion(verbs));
await writeFile(`${COMPLETIONS}/_gantry`, zshCompletion(verbs));
