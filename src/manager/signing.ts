/** Signatures made for the caller: by his own gpg and its agent, or with a private key in a file of his. */
import { spawn } from "node:child_process";
import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { once } from "node:events";
import { open } from "node:fs/promises";
import { GantryError } from "../base/errors.ts";
import { readBounded, unlessMissing } from "../base/file.ts";
import { printable, quoted } from "../base/text.ts";

/** Who signs: a key of the caller's gpg, or a private key in PEM. */
export type Signer =
  | {
      readonly kind: "gpg";
      readonly key: string;
      readonly environment: Readonly<Record<string, string | undefined>>;
    }
  | { readonly kind: "pem"; readonly key: KeyObject };

const KEY_LIMIT = 64 * 1024;

/** Reads what `--sign-key` names: a file, if there is one of that name, else a key of gpg's. Throws BadConfig, AccessDenied. */
export async function readSigner(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Signer> {
  if (name.startsWith("-")) throw new GantryError("Usage", `${quoted(name)} is no key`);
  const text =
    name.includes("/") || name.endsWith(".pem") || name.endsWith(".key") ? await readKey(name) : undefined;
  return text === undefined
    ? { kind: "gpg", key: name, environment }
    : { kind: "pem", key: parseKey(text, name) };
}

/** A key that others can read is no secret any more. */
async function readKey(path: string): Promise<Buffer> {
  const bytes = await unlessMissing(readBounded(path, KEY_LIMIT));
  if (bytes === undefined) throw new GantryError("BadConfig", `there is no key file ${quoted(path)}`);
  await using file = await open(path);
  const { mode } = await file.stat();
  if ((mode & 0o077) === 0) return bytes;
  throw new GantryError("BadConfig", `key file ${quoted(path)} can be used by others than its owner`, {
    hint: `chmod 600 ${path}`,
  });
}

function parseKey(bytes: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(bytes);
  } catch (cause) {
    throw new GantryError(
      "BadConfig",
      `${quoted(path)} holds no private key in PEM that can be read without a password`,
      {
        cause,
        hint: "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes one",
      },
    );
  }
}

/** A signature as cosign makes it: ECDSA and RSA over SHA-256, Ed25519 over the payload itself. */
export function signPayload(key: KeyObject, payload: Buffer): string {
  const algorithm = key.asymmetricKeyType === "ed25519" ? null : "sha256";
  return sign(algorithm, payload, key).toString("base64");
}

type Gpg = Extract<Signer, { kind: "gpg" }>;

/** A detached, armoured signature over a file, written to `output`. Throws AccessDenied with gpg's own words. */
export async function signDetached(
  signer: Gpg,
  { file, output }: { file: string; output: string },
): Promise<void> {
  await runGpg(signer, ["--armor", "--detach-sign", `--output=${output}`, "--", file]);
}

/** An OpenPGP message that holds `payload`, which is a file, written to `output`. Throws as signDetached(). */
export async function signInline(
  signer: Gpg,
  { file, output }: { file: string; output: string },
): Promise<void> {
  await runGpg(signer, ["--sign", `--output=${output}`, "--", file]);
}

/** What gpg and its agent's pinentry need to find each other and the user; nothing secret is among it. */
const PASSED = [
  "HOME",
  "GNUPGHOME",
  "GPG_TTY",
  "PATH",
  "TERM",
  "DISPLAY",
  "WAYLAND_DISPLAY",
  "XDG_RUNTIME_DIR",
  "LANG",
  "DBUS_SESSION_BUS_ADDRESS",
];

async function runGpg({ key, environment }: Gpg, words: readonly string[]): Promise<void> {
  const env = Object.fromEntries(
    PASSED.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]] as const])),
  );
  const options = [
    "--batch",
    "--yes",
    "--quiet",
    "--no-emit-version",
    "--digest-algo=SHA256",
    `--local-user=${key}`,
  ];
  const child = spawn("gpg", [...options, ...words], { env, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = `${said}${text}`.slice(-2048);
  });
  const missing = new Promise<never>((_, reject) => child.once("error", reject)).catch((cause: unknown) => {
    throw new GantryError("Unsupported", "gpg can't be started", { cause, hint: "apt install gnupg" });
  });
  const [status] = (await Promise.race([once(child, "close"), missing])) as [number | null];
  if (status === 0) return;
  const [line = "it said nothing"] = said.trim().split("\n").reverse();
  throw new GantryError("AccessDenied", `gpg did not sign with key ${quoted(key)}: ${printable(line)}`);
}
