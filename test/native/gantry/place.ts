/** A test host with a busybox image in it, and the two verbs these tests are about. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { busyboxImage, writeOciLayout } from "../../fixtures/images.ts";
import {
  bootHost,
  type CommandOptions,
  type HostOptions,
  type Result,
  type TestHost,
} from "../../host/host.ts";

const TEMPORARY = "build/tmp";

export type Place = AsyncDisposable & {
  readonly host: TestHost;
  /** The argument that names the image. */
  readonly image: string;
  /** A shell script on the host. */
  readonly shell: (script: string, options?: CommandOptions) => Promise<Result>;
  /** `gantry run` of a shell script in busybox, in the foreground unless `flags` say otherwise. */
  readonly run: (script: string, flags?: readonly string[], options?: CommandOptions) => Promise<Result>;
  /** Runs a named pod whose app sleeps, detached. */
  readonly sleeper: (name: string, flags?: readonly string[]) => Promise<void>;
  readonly exec: (words: readonly string[], options?: CommandOptions) => Promise<Result>;
};

export async function openPlace(options: HostOptions): Promise<Place> {
  mkdirSync(TEMPORARY, { recursive: true });
  const directory = mkdtempSync(`${TEMPORARY}/front-`);
  writeOciLayout(`${directory}/busybox`, await busyboxImage(), { ref: "latest" });
  const host = await bootHost(options);
  const image = `oci:${process.cwd()}/${directory}/busybox:latest`;
  const prefix = ["gantry", "run", "--insecure-options=image", "--net=none"];
  const run: Place["run"] = (script, flags = [], more = {}) =>
    host.exec([...prefix, ...flags, image, "--name=app", "--exec=/bin/sh", "--", "-c", script], more);
  const fetched = await run("true");
  if (fetched.status !== 0) throw new Error(`first run: ${fetched.stderr}`);
  return {
    host,
    image,
    run,
    shell: (script, more) => host.exec(["sh", "-c", script], more),
    sleeper: async (name, flags = []) => {
      const started = await run("sleep 600 & wait", ["--detach", `--name=${name}`, ...flags]);
      if (started.status !== 0) throw new Error(`${name}: ${started.stderr}`);
    },
    exec: (words, more) => host.exec(["gantry", "exec", ...words], more),
    [Symbol.asyncDispose]: async () => {
      await host[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true });
    },
  };
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** What a command printed on a terminal of script(1), which writes the end of its own input there as NUL. */
export function seen(terminal: Result): string {
  return terminal.stdout.replaceAll("^@", "").replaceAll("\0", "");
}
