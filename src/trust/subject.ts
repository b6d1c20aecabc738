/** What is asked about an image, and what the answer is; docs/trust.md is the contract. */
import type { Signature } from "../image/signature.ts";
import type { Transport, Verdict } from "../image/verdict.ts";
import type { InsecureOption } from "./verdict.ts";

export type Subject = {
  readonly transport: Transport;
  /** Without tag, digest or labels: `docker.io/library/busybox`, `example.com/app`. */
  readonly name: string;
  /** The name asked for, with its tag, digest or labels: `docker.io/library/busybox:1.36`. */
  readonly reference: string;
  /** The name is what the image says of itself, and nobody answered for it; so it is of every file's. */
  readonly claimed?: true | undefined;
  /** Of the manifest, or of an ACI's uncompressed tar. */
  readonly digest: string;
  /** The manifest's own bytes, where there is one: sigstore bundles sign them. */
  readonly manifest?: Buffer;
  /**
   * Digests of the indexes that led to the manifest, outermost first. Nobody is trusted for that: the judge has their
   * bytes by `blob` and proves it.
   */
  readonly indexes?: readonly string[];
  /** An ACI as it was served. */
  readonly archive?: { readonly path: string; readonly digest: string };
};

export type JudgeRequest = {
  readonly subject: Subject;
  readonly signatures: readonly Signature[];
  /** The bytes of a signature's blob or an index, at most `limit`; their digest is checked by the judge. */
  readonly blob: (digest: string, limit: number) => Promise<Buffer>;
  /** The argument that names the image, in its absolute form: for the command in a refusal's hint. */
  readonly source: string;
  /** The command that takes it without a check, if that is not to fetch `source`. */
  readonly unchecked?: string | undefined;
  readonly insecureOptions: readonly InsecureOption[];
  /** Who asks. */
  readonly uid: number;
  readonly signal?: AbortSignal | undefined;
};

export type Judged = {
  readonly verdict: Verdict;
  /** The blobs the verdict rests on, by digest; whoever writes the image record keeps them with it. */
  readonly evidence: ReadonlyMap<string, Buffer>;
};

/** Throws NotTrusted with the exact command that would allow it, BadConfig, Cancelled, SystemdFailed. */
export type Judge = (request: JudgeRequest) => Promise<Judged>;
