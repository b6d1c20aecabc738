/** What the fetcher is asked for ACIs, and what it answers, apart from how it is run. */
import type { AppName } from "../image/app-name.ts";
import type { Extent } from "../image/archive.ts";
import type { Remote } from "../image/record.ts";
import type { Operation } from "../store/operation.ts";

/** Where an ACI may come from. */
export type Place =
  /** Discovered; the labels have what templates need. */
  { readonly kind: "name"; readonly app: AppName } | { readonly kind: "url"; readonly url: string };

export type TransferRequest = {
  readonly place: Place;
  /** What an earlier download said of itself: where it is unchanged, nothing is transferred. */
  readonly known: readonly Remote[];
  /** Its size, where that was promised. */
  readonly size?: number | undefined;
  /** Whether anybody wants its signature. */
  readonly signature: boolean;
  readonly signal?: AbortSignal | undefined;
};

export type Transferred =
  | { readonly kind: "unchanged"; readonly remote: Remote }
  | {
      readonly kind: "archive";
      readonly remote: Remote;
      /** Where it lies, in the operation's directory; nobody writes there any more. */
      readonly extent: Extent;
      readonly signatures: readonly Buffer[];
    };

/** Throws FetchFailed, TimedOut, NoSuchImage, AccessDenied, BadImage, DigestMismatch, StoreFull, Cancelled. */
export type Transfer = (operation: Operation, request: TransferRequest) => Promise<Transferred>;
