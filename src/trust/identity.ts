/** Whether the name inside a signature agrees with the name asked for (containers-policy.json(5), signedIdentity). */
import { canonicalName } from "../image/source-name.ts";
import type { Identity } from "./rule.ts";
import { covers } from "./scope.ts";

/** Why `signed` is not the name that `identity` wants for `asked`; undefined when it is. */
export function identityProblem(signed: string, asked: string, identity: Identity): string | undefined {
  const ok = agrees(split(signed), split(asked), identity);
  return ok ? undefined : `it is for ${signed || "no name"}, not for ${asked} (${identity.type})`;
}

type Name = {
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
};

function agrees(signed: Name, asked: Name, identity: Identity): boolean {
  switch (identity.type) {
    case "matchExact":
      return isExact(signed, asked);
    case "matchRepoDigestOrExact":
      // A digest says better than any tag which image is meant.
      return asked.digest === undefined ? isExact(signed, asked) : signed.repository === asked.repository;
    case "matchRepository":
      return signed.repository === asked.repository;
    case "exactReference":
      return isExact(signed, split(identity.reference));
    case "exactRepository":
      return signed.repository === split(identity.repository).repository;
    case "remapIdentity":
      return agrees(signed, remap(asked, identity), { type: "matchRepoDigestOrExact" });
  }
}

function isExact(signed: Name, asked: Name): boolean {
  // A name with neither says which repository, but no image.
  const says = asked.tag !== undefined || asked.digest !== undefined;
  return (
    says &&
    signed.repository === asked.repository &&
    signed.tag === asked.tag &&
    signed.digest === asked.digest
  );
}

function remap(asked: Name, { prefix, signedPrefix }: Extract<Identity, { type: "remapIdentity" }>): Name {
  if (!covers(prefix, asked.repository)) return asked;
  return { ...asked, repository: `${signedPrefix}${asked.repository.slice(prefix.length)}` };
}

/** The parts as they are written: canonicalName() would add a tag where there is none. */
function split(text: string): Name {
  const [rest = "", digest] = text.split("@");
  const tag = /[^/]\/?.*\/[^/]*:([^/:]+)$|^[^/:]+:([^/:]+)$/.exec(rest);
  const bare = tag === null ? rest : rest.slice(0, rest.lastIndexOf(":"));
  const repository = canonicalName(bare)?.replace(/:latest$/, "") ?? bare;
  return { repository, tag: tag?.[1] ?? tag?.[2], digest };
}
