/** gantry-pod-manifest(5): keys, types and defaults from the schema; what they mean from the table below it. */
import { ISOLATOR_NAMES } from "../../src/pod/isolators.ts";
import { PodManifest } from "../../src/pod/manifest.ts";
import { ISOLATORS, MEANINGS, SAME_AS } from "./pod-manifest-keys.ts";
import { item, literal, nameSection, type Page, paragraph, type Roff, section } from "./roff.ts";
import { describedOnly, type Key, keysOf } from "./schema-keys.ts";

export function podManifestPage(): Page {
  const keys = keysOf(PodManifest, SAME_AS);
  const body = [
    nameSection("gantry-pod-manifest", "what a pod consists of"),
    section(
      "DESCRIPTION",
      paragraph(
        "A JSON document, appc's pod manifest (version 0.8.11) with a few keys of Gantry's own. `gantry run --pod-manifest=FILE`, `gantry prepare --pod-manifest=FILE` and `gantry install FILE` read it; installed, it is `/etc/gantry/pods/NAME.json`, which is also where it is changed. `gantry cat-manifest` shows what a pod was prepared with. An unknown key is an error. A list that is null is empty.",
      ),
    ),
    section("KEYS", ...keys.map(keyItem)),
    section(
      "ISOLATORS",
      paragraph("Every other isolator is ignored, and the pod's report tells so."),
      ...describedOnly("isolator", ISOLATOR_NAMES, ISOLATORS).map(([name, text]) => item(name, text)),
    ),
    section("EXAMPLES", literal(EXAMPLE)),
    section("SEE ALSO", paragraph("gantry(1), systemd.service(5), systemd.resource-control(5)")),
  ];
  describedOnly(
    "key",
    keys.map(({ path }) => path),
    MEANINGS,
  );
  return { name: "gantry-pod-manifest", section: 5, body };
}

const EXAMPLE = [
  "{",
  '  "acKind": "PodManifest", "acVersion": "0.8.11",',
  '  "name": "web",',
  '  "network": ["host"],',
  '  "apps": [',
  '    { "name": "http", "image": { "id": "docker.io/library/nginx:1" }, "restart": "on-failure" }',
  "  ],",
  '  "isolators": [ { "name": "resource/memory", "value": { "limit": "256M" } } ]',
  "}",
];

function keyItem({ path, type, note }: Key): Roff {
  const same = SAME_AS[path] === undefined ? "" : ` Its keys are those of \`${SAME_AS[path]}\`.`;
  return item(path, `(${type}${note}) ${MEANINGS[path]}${same}`);
}
