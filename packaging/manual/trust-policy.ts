/** gantry-trust-policy(5): trust.d with the keys of its schema, the keystore, and what decides. */
import { PolicyFile } from "../../src/trust/rule.ts";
import { item, literal, nameSection, type Page, paragraph, section } from "./roff.ts";
import { describedOnly, type Key, keysOf } from "./schema-keys.ts";

export function trustPolicyPage(): Page {
  const keys = keysOf(PolicyFile, STOPS);
  describedOnly(
    "key",
    keys.map(({ path }) => path),
    MEANINGS,
  );
  const body = [
    nameSection("gantry-trust-policy", "which images may run, and whose signatures count"),
    section("SYNOPSIS", paragraph(PLACES)),
    section("DESCRIPTION", ...DESCRIPTION.map(paragraph)),
    section("KEYSTORE", ...KEYSTORE.map(paragraph)),
    section("SCOPES", ...SCOPES.map(paragraph)),
    section("KEYS OF A POLICY FILE", ...keys.map(keyItem)),
    section(
      "REQUIREMENTS",
      paragraph(KINDS),
      ...Object.entries(REQUIREMENTS).map(([name, text]) => item(name, text)),
    ),
    section(
      "IDENTITIES",
      paragraph(TYPES),
      ...Object.entries(IDENTITIES).map(([name, text]) => item(name, text)),
    ),
    section("WHEN IT IS DECIDED", ...WHEN.map(paragraph)),
    section("EXAMPLES", literal(EXAMPLE)),
    section("SEE ALSO", paragraph("gantry(1), gantry-registries(5), containers-policy.json(5), gpg(1)")),
  ];
  return { name: "gantry-trust-policy", section: 5, body };
}

function keyItem({ path, type, note }: Key): string {
  return item(path, `(${type}${note}) ${MEANINGS[path]}`);
}

/** Explained under REQUIREMENTS. */
const STOPS = { "rules[].requirements": true };

const PLACES =
  "`/etc/gantry/trust.d/*.json`, `/etc/gantry/trustedkeys`, and the same below `/run/gantry` and `/usr/lib/gantry`";

const DESCRIPTION = [
  "An image runs when the rule for its name is satisfied. Without a rule, a signature by one of the keystore's keys for the name suffices; without such a key, the image is refused. `gantry trust add`, `list`, `rm` and `explain` write and read what is described here.",
  "A file of a name in `/etc/gantry` masks those of the same name in `/run/gantry`, and these the ones in `/usr/lib/gantry`; an empty file, or a link to `/dev/null`, only masks. All files belong to root and may not be written by everybody, and links to elsewhere, of files or directories, are refused. A file that is not understood is an error (`BadConfig`) that names the file and the key, and until it is mended nothing is trusted.",
];

const KEYSTORE = [
  "`trustedkeys/root.d/FINGERPRINT` is a key for every name, `trustedkeys/prefix.d/PREFIX/FINGERPRINT` one for the names below a prefix, and `trustedkeys/named.d/NAME` one for the rules that name it. A file holds OpenPGP keys, armoured or not, or public keys in PEM: P-256, Ed25519, or RSA of at least 2048 bits. The fingerprint is that of the first key in the file, in lower case; of a PEM file it is the sha256 of the key in DER, with `.pem` behind it.",
  "Keys that are expired, revoked or weak vouch for nothing, whenever they signed.",
];

const SCOPES = [
  "A scope is the beginning of names in whole segments: `example.com/foo` covers `example.com/foo/bar` and not `example.com/foobar`. `*` covers every name, `*.example.com` the hosts below a domain; with a tag or a digest a scope is one image, which is written whole: `docker.io/library/debian:12`, because `debian:12` is a host and its port. Of an ACI that is the name as it is asked for: a rule for `example.com/app:1.0` does not decide for who asks for `example.com/app`. With the transport `registry`, `busybox` means `docker.io/library/busybox`. The most specific scope decides alone; of the same scope, a rule that tells the transport goes before one that does not. Two rules for the same in one directory are an error.",
];

const MEANINGS: Readonly<Record<string, string>> = {
  version: "Of this format.",
  rules: "What images must satisfy.",
  "rules[].scope": "The names it is about; see SCOPES.",
  "rules[].transport":
    "Only for images that come this way: `appc` by discovery or URL, `registry`, or `file` from this machine.",
  "rules[].requirements": "All of them must be met; see REQUIREMENTS.",
  "rules[].firstUse": "A consent to an image's digest counts, too, where the requirements are not met.",
  consents:
    "An operator's word for one digest of one name each, as `gantry trust add --digest=DIGEST NAME` writes it. They count where nothing is known of the name, or its rule says `firstUse`.",
  "consents[].name": "The image's name, without tag or digest.",
  "consents[].transport": "As of a rule.",
  "consents[].digest":
    "Of the manifest or of an index that leads to it, or an ACI's image id, or of the ACI as it was served.",
  "consents[].time": "When it was said, in microseconds since the epoch.",
  "consents[].uid": "Who said it.",
};

const KINDS = "An object whose `kind` is one of these words, and the keys that are told there.";
const TYPES = "An object whose `type` is one of these words, and the keys that are told there.";

const REQUIREMENTS: Readonly<Record<string, string>> = {
  openpgp:
    "A detached signature over an ACI; for other images, simple signing as of containers-signature(5). `keys`: names in named.d, instead of the keystore's keys for the name. `identity`: see IDENTITIES; `matchRepoDigestOrExact` unless told.",
  cosign:
    "A signature that `cosign sign --key` makes. `keys`, `identity` (`matchRepository` unless told, since cosign signs names without tags), and `annotations`, an object of texts that must be among the signed ones.",
  "sigstore-bundle":
    "A sigstore bundle made with a key, over the manifest or an index that leads to it, or a statement about the digest of one of them. `keys`; `predicateTypes`: statements that count beside cosign's own.",
  digests: "The image is one of `digests`, or an index of `digests` leads to it.",
  unsigned:
    "Met by every image that was found by its name. By images from files only in a rule whose transport is `file`, since a file proves no name; by ACIs that were fetched by their URL never: a signature, or a digest, says which those are.",
  reject: "Met by no image.",
  any: "One of the requirements in `of` is met.",
};

const IDENTITIES: Readonly<Record<string, string>> = {
  matchExact: "The signed name is the one asked for, with its tag or digest.",
  matchRepoDigestOrExact: "The same; if a digest was asked for, any signed name of the same repository.",
  matchRepository: "The signed name is of the same repository.",
  exactReference: "The signed name is `reference`.",
  exactRepository: "The signed name is of `repository`.",
  remapIdentity:
    "As `matchRepoDigestOrExact`, with the beginning `prefix` of the name asked for replaced by `signedPrefix`: for mirrors that keep the signatures of what they mirror.",
};

const WHEN = [
  "When an image is fetched, and at every start of a pod in which a rule, a key or a date has changed since: a key that was removed stops the next start, and running pods go on. The signatures are kept with the image, so that a start needs no network.",
  "`--insecure-options=image` leaves the decision out for one command; that of `gantry install` is kept, for the very images that it found, until `gantry uninstall`. What came in that way does not become trusted by being in the store, nor by a rule or key that is added later: fetched once more, it is checked.",
  "Each name of an image is decided about for itself: that it may run by one name says nothing about the others, and a file whose image has several names must be trusted by each. By its id an image runs as the name does by which it was last fetched and checked.",
];

const EXAMPLE = [
  '{ "version": 1,',
  '  "rules": [',
  '    { "scope": "*", "requirements": [ { "kind": "reject" } ] },',
  '    { "scope": "example.com/base", "requirements": [ { "kind": "openpgp" } ] },',
  '    { "scope": "registry.example", "transport": "registry",',
  '      "requirements": [ { "kind": "cosign", "keys": [ "release.pem" ],',
  '                          "annotations": { "stage": "production" } } ] } ] }',
];
