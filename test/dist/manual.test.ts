/** The manual and the completions as they are installed, against what the programs themselves say. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { TABLES } from "../../src/interface/tables.ts";

const SHARE = "build/root/usr/share";
const PAGES = [
  "man1/gantry.1",
  "man5/gantry-pod-manifest.5",
  "man5/gantry-registries.5",
  "man5/gantry-trust-policy.5",
  "man5/org.gantry1.5",
  "man8/gantry-agent.8",
];

/** `gantry …` of the built bundle. */
async function gantry(...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ["build/bundle/cli.cjs", ...words]);
  return stdout;
}

/** The verbs that `gantry help` lists. */
async function verbs(): Promise<string[]> {
  const listed = [...(await gantry("help")).matchAll(/^ {2}([a-z-]+(?: [a-z-]+)?)(?: {2,}|\n)/gm)];
  const names = listed.map((match) => match[1] ?? "");
  assert.ok(names.length >= 20, String(names));
  return names;
}

/** Long options at the beginning of help's rows, without those that every verb has. */
function optionsOf(help: string): string[] {
  const names = [...help.matchAll(/^ {2}(--[a-z-]+)/gm)].map((match) => match[1] ?? "");
  return [...new Set(names)].filter((name) => !["--dir", "--help"].includes(name)).sort();
}

function page(name: string): string {
  return gunzipSync(readFileSync(`${SHARE}/man/${name}.gz`)).toString("utf8");
}

/** A page's text as troff's escapes mean it. */
function unescaped(roff: string): string {
  return roff
    .replaceAll("\\-", "-")
    .replaceAll("\\e", "\\")
    .replaceAll("\\&", "")
    .replace(/\\f[BR]/g, "");
}

/** What stands below `.SS gantry VERB …`. */
function verbSection(verb: string): string {
  const sections = unescaped(page("man1/gantry.1")).split(/^\.S[SH] /m);
  const found = sections.find((section) => section.replace("\n", " \n").startsWith(`gantry ${verb} `));
  assert.ok(found !== undefined, `gantry(1) says nothing of ${verb}`);
  return found;
}

test("manual: every verb and option of the help is in gantry(1), and nothing else", async () => {
  const known = await verbs();
  for (const verb of known) {
    const terms = [...verbSection(verb).matchAll(/^\.TP\n\.B (--[a-z-]+)/gm)].map((match) => match[1] ?? "");
    assert.deepEqual([...new Set(terms)].sort(), optionsOf(await gantry(...verb.split(" "), "--help")), verb);
  }
  const headings = [...unescaped(page("man1/gantry.1")).matchAll(/^\.SS gantry /gm)];
  assert.equal(headings.length, known.length);
});

test("manual: every member of the bus is in org.gantry1(5)", () => {
  const text = unescaped(page("man5/org.gantry1.5"));
  let members = 0;
  for (const { name, methods, properties, signals } of TABLES) {
    const section = text.slice(text.indexOf(`.SH "INTERFACE ${name}"`)).split(/^\.SH /m)[1] ?? "";
    for (const member of Object.keys({ ...methods, ...properties, ...signals })) {
      assert.match(section, new RegExp(`^\\.TP\n\\.B ${member}[ (]`, "m"), `${name}.${member}`);
      members += 1;
    }
  }
  assert.ok(members > 50);
});

test("manual: mandoc finds nothing wrong with any page, and every page has its name for whatis", () => {
  for (const name of PAGES) {
    const path = `build/manual/${name}.gz`;
    const lint = execFileSync("sh", [
      "-c",
      'zcat "$1" | mandoc -T lint -W warning || true',
      "sh",
      path,
    ]).toString();
    // Pages carry the version and no date.
    const complaints = lint.split("\n").filter((line) => line !== "" && !line.includes("missing date"));
    assert.deepEqual(complaints, [], name);
    const base = name.replace(/^.*\/(.*)\.\d$/, "$1");
    assert.match(unescaped(page(name)), new RegExp(`^\\.SH NAME\n${base} - .{10,}$`, "m"));
  }
});

test("manual: the pages that units and pages refer to exist", () => {
  const units = readdirSync("units").map((unit) => readFileSync(`units/${unit}`, "utf8"));
  const documented = units.flatMap((text) => [...text.matchAll(/man:([\w.@-]+)\((\d)\)/g)]);
  assert.ok(documented.length >= units.length);
  const own = PAGES.flatMap((name) => [
    ...unescaped(page(name)).matchAll(/\b(gantry[\w-]*|org\.gantry1)\((\d)\)/g),
  ]);
  for (const [, name, section] of [...documented, ...own])
    assert.ok(PAGES.includes(`man${section}/${name}.${section}`), `${name}(${section})`);
});

test("completions: bash offers every verb, and each verb's options", async () => {
  const known = await verbs();
  const firsts = [...new Set(known.map((verb) => verb.replace(/ .*/, "")))].sort();
  assert.deepEqual((await bashOffers("gantry ")).sort(), firsts);
  for (const verb of known) {
    const offered = (await bashOffers(`gantry ${verb} --`)).map((word) => word.replace("=", "")).sort();
    const text = await gantry(...verb.split(" "), "--help");
    const help = [...optionsOf(text), ...(/See gantry run --help/.test(text) ? await appOptions() : [])];
    assert.deepEqual(offered, [...new Set(["--dir", "--help", ...help])].sort(), verb);
  }
  assert.deepEqual(await bashOffers("gantry list --format="), ["table", "json"]);
  assert.deepEqual(await bashOffers("gantry --dir=/x image inspect --dir=/et"), ["/etc"]);
});

/** `gantry run --help` lists for all verbs what may follow an image. */
async function appOptions(): Promise<string[]> {
  const [, block = ""] =
    /Options that follow an image:\n(.*?)\n\n/s.exec(await gantry("run", "--help")) ?? [];
  return optionsOf(block);
}

type Surroundings = { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv };

/** What bash would offer at the end of a line. */
async function bashOffers(line: string, surroundings: Surroundings = {}): Promise<string[]> {
  const script = `source ${process.cwd()}/${SHARE}/bash-completion/completions/gantry
    compopt() { :; }
    COMP_LINE=$1 COMP_POINT=\${#1}
    _gantry; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await promisify(execFile)("bash", ["--norc", "-c", script, "bash", line], surroundings);
  return stdout.trim().split("\n");
}

test("completions: fish offers verbs, options and values", async () => {
  assert.deepEqual(await fishOffers("gantry image l"), ["list"]);
  assert.deepEqual(await fishOffers("gantry list --format="), ["--format=json", "--format=table"]);
  const help = optionsOf(await gantry("run", "--help"));
  assert.deepEqual((await fishOffers("gantry run --")).sort(), [...help, "--dir", "--help"].sort());
});

async function fishOffers(line: string, surroundings: Surroundings = {}): Promise<string[]> {
  const script = "source $argv[1]; complete -C$argv[2]";
  const path = `${process.cwd()}/${SHARE}/fish/vendor_completions.d/gantry.fish`;
  const words = ["--no-config", "-c", script, path, line];
  const { stdout } = await promisify(execFile)("fish", words, surroundings);
  const rows = stdout.trim().split("\n");
  return rows.map((row) => row.replace(/\t.*/, ""));
}

test("completions: zsh, at a terminal, completes verbs, options and values", () => {
  const screen = zshScreen(["gantry run --usern\tp\t", "gantry image li\t--no\t"]);
  for (const line of ["<gantry run --userns=pod >", "<gantry image list --no-legend >"])
    assert.ok(screen.includes(line), `${line} is not in:\n${screen}`);
});

function zshScreen(lines: readonly string[], surroundings: Surroundings = {}): string {
  const words = ["-f", "-c", ZSH, "zsh", `${process.cwd()}/${SHARE}/zsh/vendor-completions`, ...lines];
  return execFileSync("zsh", words, { timeout: 120_000, ...surroundings }).toString();
}

/** Types into an interactive zsh; what the line has become is shown by a key of its own. */
const ZSH = String.raw`
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "TERM=dumb; PROMPT=; unset zle_bracketed_paste; fpath=('$1' \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w z "show() { print -r -- \"<\$BUFFER>\"; BUFFER=; zle redisplay }; zle -N show; bindkey '^T' show; echo rea''dy"
until [[ $all == *ready* ]]; do zpty -r z chunk; all+=$chunk; done
ask() {
  local all= chunk
  zpty -n -w z "$1"$'\C-T'
  until [[ $all == *'<'*'>'* ]]; do zpty -r z chunk; all+=$chunk; done
  print -r -- "$all"
}
shift; for line; do ask "$line"; done
zpty -d z
`;

/** Names that a shell which takes them for words of its own would run: of a pod, of an image, of a file. */
const COMMANDS = ["x-$(touch pwned)", "x:`touch pwned`", "x\\`touch pwned`; touch pwned"];

/** Has `body` complete in a directory with such a file, where `gantry` tells such names; then nothing was run. */
async function amongCommands(body: (surroundings: Surroundings) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "gantry-completion-"));
  try {
    const [pod = "", image = "", file = ""] = COMMANDS;
    writeFileSync(join(directory, file), "");
    const stub = `#!/bin/sh\ncase $2 in pods) echo '${pod}' ;; images) echo '${image}' ;; esac\n`;
    writeFileSync(join(directory, "gantry"), stub);
    chmodSync(join(directory, "gantry"), 0o755);
    const env = { ...process.env, PATH: `${directory}:${process.env["PATH"]}` };
    await body({ cwd: directory, env });
    assert.deepEqual(readdirSync(directory).sort(), ["gantry", file]);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test("completions: bash offers names and files that look like commands quoted, and runs none", async () => {
  const [pod, image, file] = COMMANDS;
  await amongCommands(async (surroundings) => {
    for (const [line, meant] of [
      ["gantry stop x", [pod]],
      ["gantry image rm x:", [image]],
      ["gantry run x", [image, file]],
      ["gantry run x\\", [""]],
      ["gantry run --set-env-file=x", [file]],
    ] as const) {
      const offered = await bashOffers(line, surroundings);
      // Readline itself quotes what was said to be a file name.
      const isQuoted = line.includes("=");
      const words = isQuoted
        ? offered
        : await Promise.all(offered.map((word) => bashWord(line, word, surroundings)));
      assert.deepEqual(words, meant, line);
    }
  });
});

/** The word that the line ends with once an offer is in it. */
async function bashWord(line: string, offer: string, surroundings: Surroundings): Promise<string> {
  const typed = offer === "" ? "''" : line.replace(/^.* /, "").replace(/[^:]*$/, "");
  const script = `set -- ${typed}${offer}; printf '%s' "$*"`;
  return (await promisify(execFile)("bash", ["--norc", "-c", script], surroundings)).stdout;
}

test("completions: fish and zsh run no name or file that looks like a command", async () => {
  const [pod, image, file] = COMMANDS;
  await amongCommands(async (surroundings) => {
    assert.deepEqual(await fishOffers("gantry stop x", surroundings), [pod]);
    const offered = await fishOffers("gantry run x", surroundings);
    assert.deepEqual(offered.sort(), [image, file].sort());
    const screen = zshScreen(["gantry stop x\t", "gantry image rm x:\t"], surroundings);
    for (const line of [
      "<gantry stop x-\\$\\(touch\\ pwned\\) >",
      "<gantry image rm x:\\`touch\\ pwned\\` >",
    ])
      assert.ok(screen.includes(line), `${line} is not in:\n${screen}`);
  });
});
