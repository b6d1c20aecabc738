/** Credential helpers of docker and containers/image: `docker-credential-NAME get`, run as the caller and for a while. */
import { spawn } from "node:child_process";
import * as z from "zod";
import { GantryError } from "../base/errors.ts";
import { quoted } from "../base/text.ts";
import type { Credentials } from "../inbox/protocol.ts";
import type { Environment } from "./caller-files.ts";
import { badConfig } from "./files.ts";

const PATIENCE = 30_000;
const OUTPUT_LIMIT = 1024 * 1024;

const Answer = z.object({ Username: z.string(), Secret: z.string() });

/** The name that stands for an identity token instead of a user. */
const TOKEN_USER = "<token>";

export type HelperOptions = {
  readonly registry: string;
  /** The file that names the helper. */
  readonly path: string;
  readonly environment: Environment;
  readonly patience?: number;
};

/** What a helper has for a registry; undefined when it has nothing. Throws BadConfig, TimedOut. */
export async function askHelper(name: string, options: HelperOptions): Promise<Credentials | undefined> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) {
    throw badConfig(options.path, `names the credential helper ${quoted(name)}, which is no name`);
  }
  const program = `docker-credential-${name}`;
  // Docker Hub has this name in every store.
  const server = options.registry === "docker.io" ? "https://index.docker.io/v1/" : options.registry;
  const { status, output } = await run(program, server, options);
  if (status !== 0) {
    if (/credentials not found/i.test(output)) return undefined;
    throw badConfig(
      options.path,
      `names ${quoted(program)}, which fails for ${quoted(server)}: ${quoted(output)}`,
    );
  }
  const { success, data } = Answer.safeParse(parsed(output));
  if (!success) throw badConfig(options.path, `names ${quoted(program)}, whose answer is not understood`);
  if (data.Username === TOKEN_USER) return { kind: "identity-token", token: data.Secret };
  return { kind: "basic", user: data.Username, password: data.Secret };
}

type Result = { readonly status: number | null; readonly output: string };

function run(program: string, input: string, options: HelperOptions): Promise<Result> {
  const { path, environment, patience = PATIENCE } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, ["get"], { env: { ...environment }, stdio: ["pipe", "pipe", "inherit"] });
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new GantryError("TimedOut", `${quoted(program)} does not answer within ${patience / 1000} s`));
    }, patience);
    child.stdout.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > OUTPUT_LIMIT) child.kill("SIGKILL");
      else chunks.push(chunk);
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    child.on("error", (cause) => {
      clearTimeout(timer);
      reject(badConfig(path, `names ${quoted(program)}, which can't be started`, cause));
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      resolve({ status, output: Buffer.concat(chunks).toString().trim() });
    });
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
