/** gantry-registries(5): registries.d with the keys of its schema, auth.d, the caller's own files, proxies. */
import { RegistryFile } from "../../src/config/registry-files.ts";
import { LimitsEntry } from "../../src/config/time-limits.ts";
import { item, literal, nameSection, type Page, paragraph, section } from "./roff.ts";
import { describedOnly, type Key, keysOf } from "./schema-keys.ts";

export function registriesPage(): Page {
  const keys = keysOf(RegistryFile);
  describedOnly(
    "key",
    keys.map(({ path }) => path),
    MEANINGS,
  );
  const body = [
    nameSection("gantry-registries", "where images come from, and who asks for them"),
    section("SYNOPSIS", paragraph(PLACES)),
    section("DESCRIPTION", ...DESCRIPTION.map(paragraph)),
    section("REGISTRIES.D", ...keys.map(keyItem)),
    section("MIRRORS", ...MIRRORS.map(paragraph)),
    section("AUTH.D", ...AUTH.map(paragraph), literal(AUTH_EXAMPLE), literal(BUCKET_EXAMPLE)),
    section("CREDENTIALS OF THE CALLER", ...CALLER.map(paragraph)),
    section("PROXIES", ...PROXIES.map(paragraph)),
    section("EXAMPLES", literal(EXAMPLE)),
    section("SEE ALSO", paragraph("gantry(1), gantry-agent(8), containers-auth.json(5)")),
  ];
  return { name: "gantry-registries", section: 5, body };
}

function keyItem({ path, type, note }: Key): string {
  return item(path, `(${type}${note}) ${MEANINGS[path]}`);
}

const PLACES =
  "`/etc/gantry/registries.d/*.json`, `/etc/gantry/auth.d/*.json`, and the same below `/run/gantry` and `/usr/lib/gantry`";

const DESCRIPTION = [
  "Images whose name begins with a registry are asked for at that registry, anonymously and by https, unless something is configured here. A file of a name in `/etc/gantry` masks those of the same name in `/run/gantry`, and these the ones in `/usr/lib/gantry`; an empty file, or a link to `/dev/null`, only masks. All files belong to root and may not be written by everybody. A file that is not understood is an error (`BadConfig`) that names the file and the key.",
  "Nothing here makes an image trusted. Whichever server sends it, an image is verified by its digests, and judged by the name that was asked for.",
];

const MEANINGS: Readonly<Record<string, string>> = {
  version: "Of this format.",
  registries: "Each prefix once, in all files together.",
  "registries[].prefix":
    "Which images it is about: a registry as names call it, such as `docker.io` or `127.0.0.1:5000`, alone or with the beginning of a repository. It fits in whole segments, and the longest one that fits is taken.",
  "registries[].url":
    "Where the registry is, if it is not `https://` and the name. What a name has behind the prefix is appended to the path of the URL. Credentials are then those of this server.",
  "registries[].mirrors": "Servers that are asked before, in this order.",
  "registries[].mirrors[].url":
    "The server, and the path below which it has the images. What a name has behind the prefix is appended. A URL with `http:` says that this server may be spoken to without encryption.",
  "registries[].mirrors[].capabilities":
    "`pull`: it may serve what is asked for by digest, which is all but the first request. `resolve`: it may say which image a tag is, which a stale mirror says wrongly.",
  "registries[].mirrors[].ca":
    "A file of certificates in PEM that are trusted for this server beside the machine's.",
  "registries[].mirrors[].insecure":
    "`tls`: its certificate is not checked. `http`: where it does not answer https, http is used, and credentials are sent over it.",
  "registries[].mirrors[].credentials": "The mirror's own: a user with a password, or a token.",
  "registries[].mirrors[].credentials.user": "For basic authentication, or for the server that gives tokens.",
  "registries[].mirrors[].credentials.password": "Its password.",
  "registries[].mirrors[].credentials.token": "A bearer token that is sent as it is.",
  "registries[].fallback": "Whether the registry itself is asked when no mirror has the image.",
  "registries[].ca": "As of a mirror.",
  "registries[].insecure": "As of a mirror. `--insecure-options=tls,http` says the same for one command.",
  "registries[].lookaside":
    "Servers of signatures in the format of containers' simple signing: `URL/REPOSITORY@sha256=HEX/signature-N`.",
  "registries[].limits": "For the registry and its mirrors, instead of those of the whole machine.",
  ...limitMeanings("registries[].limits", "As of the whole machine."),
  limits:
    "How long servers may take, of registries and of App Container images, in seconds. In one of all files. Beyond it an attempt ends (`TimedOut`) and another follows.",
  "limits.connect": "Until a connection stands; 15 unless given.",
  "limits.idle": "Until the answer begins, and between two pieces of it; 60 unless given.",
  "limits.rate":
    "Bytes a second that a transfer must bring on average over `slow`; 1024 unless given. Time in which the disk is waited for does not count.",
  "limits.slow": "30 unless given.",
  "limits.document": "For a manifest or another document, all attempts together; 180 unless given.",
  "limits.attempts":
    "For a document, or for a layer without progress between them; 5 unless given. A layer goes on where it was cut.",
};

function limitMeanings(prefix: string, meaning: string): Record<string, string> {
  const names = Object.keys(LimitsEntry.shape);
  return Object.fromEntries(names.map((name) => [`${prefix}.${name}`, meaning]));
}

const MIRRORS = [
  "A mirror that cannot be reached, answers 401, 403, 404, 429 or a server's error, or sends what does not have the right digest, is passed over, and the next server is asked; the progress output tells so. Once a layer's first byte has been handed on, its server has to deliver the rest, resumed as often as it takes.",
  "Credentials of a registry are never sent to a mirror, nor those of a mirror to the registry: each server's are found by its own name. Redirects to another server drop them, and no token is fetched that it asks for.",
];

const AUTH = [
  "Two kinds of files, as rkt had them: `dockerAuth` for registries, `auth` for servers of App Container images with the types `basic` (user and password), `oauth` (token) and `aws` (`accessKeyID`, `secretAccessKey`, `awsRegion`). A host may be named once in each directory; what `/etc/gantry` says of a host goes before what the others say.",
  "With `aws` each request for an image, its signature or a key is signed as S3 and servers like it want it (AWS Signature Version 4); a discovery page is asked for without. Where `awsRegion` is absent or empty, the region is the one in a name of Amazon's (`s3.eu-west-1.amazonaws.com`), else us-east-1. A redirect to another server gets no signature, so name a bucket by the host that serves it. A signature is good for some minutes: the clock has to be right.",
  "Who is not let in (`AccessDenied`, exit 6) is told the server's code, the host, and the file that the credentials are from.",
];

const AUTH_EXAMPLE = [
  '{ "rktKind": "dockerAuth", "rktVersion": "v1",',
  '  "registries": [ "quay.io" ], "credentials": { "user": "web", "password": "secret" } }',
];

const BUCKET_EXAMPLE = [
  '{ "rktKind": "auth", "rktVersion": "v1", "type": "aws",',
  '  "domains": [ "images.s3.eu-west-1.amazonaws.com" ],',
  '  "credentials": { "accessKeyID": "AKIDEXAMPLE", "secretAccessKey": "secret" } }',
];

const CALLER = [
  "A command that root calls itself looks before that into the caller's own files, and takes the first that has something: `$REGISTRY_AUTH_FILE`, or else `$XDG_RUNTIME_DIR/containers/auth.json` and `~/.config/containers/auth.json`; then `~/.docker/config.json` (`$DOCKER_CONFIG`). The longest key that fits is taken. Helpers that they name (`credHelpers`, `credsStore`) are run as the caller's own commands, `docker-credential-NAME get`, for at most 30 seconds. Files of another user are passed over.",
  "The agent reads nobody's files. A command of a user who is not root looks into the user's own ones in the same way, and hands what it finds for the image's registry to the agent with the one call, as the option `credentials` of org.gantry1(5): there it goes before `auth.d`, is given to the fetcher alone, and forgotten with the call. What a client of the bus like busctl(1) is told on its command line, everybody on the host can read.",
];

const PROXIES = [
  "`https_proxy`, `http_proxy` and `no_proxy` (or in capitals) of the command's environment, or of the agent's, where `systemctl edit gantry-agent` puts them (`Environment=`). Names on the list of `no_proxy` fit themselves and everything below them; addresses may be networks (`10.0.0.0/8`); a port may follow. This machine itself is never reached through a proxy.",
];

const EXAMPLE = [
  '{ "version": 1,',
  '  "registries": [',
  '    { "prefix": "docker.io",',
  '      "mirrors": [ { "url": "https://mirror.example/hub", "ca": "/etc/ssl/mirror.pem" } ] },',
  '    { "prefix": "registry.k8s.io", "fallback": "never",',
  '      "mirrors": [ { "url": "https://mirror.example/k8s", "capabilities": [ "pull", "resolve" ] } ] },',
  '    { "prefix": "127.0.0.1:5000", "insecure": [ "http" ] } ],',
  '  "limits": { "idle": 300, "rate": 100 } }',
];
