/** An image's own /etc/passwd and /etc/group, as text: which groups a user is in. */

export type UserGroups = { readonly group: string; readonly supplementaryGids: readonly number[] };

/**
 * The groups of `user`, a name or a number (OCI image specification, config.md, `User`): the primary one from passwd, 0
 * for a number that is not in it; supplementary ones only for names. Undefined for a name that is not in passwd.
 */
export function groupsOf(
  user: string,
  { passwd, group }: { readonly passwd: string; readonly group: string },
): UserGroups | undefined {
  const byName = linesOf(passwd).find(([name]) => name === user);
  const byNumber = linesOf(passwd).find(([, , uid]) => uid === user);
  const entry = byName ?? byNumber;
  if (entry === undefined) return /^\d+$/.test(user) ? { group: "0", supplementaryGids: [] } : undefined;
  const primary = entry[3] ?? "0";
  if (byName === undefined) return { group: primary, supplementaryGids: [] };
  const gids = linesOf(group)
    .filter(([, , gid, members]) => gid !== primary && (members ?? "").split(",").includes(user))
    .map(([, , gid]) => Number(gid))
    .filter((gid) => Number.isSafeInteger(gid));
  return { group: primary, supplementaryGids: gids };
}

function linesOf(text: string): string[][] {
  return text.split("\n").map((line) => line.split(":"));
}
