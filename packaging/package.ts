/**
 * npm run package [-- --sysext] [--version=VERSION] [--output=DIR]: builds what is installed on hosts, from the built tree.
 *
 * gantry_VERSION_ARCH.deb            for hosts whose nodejs is 20 or later (Debian 13)
 * gantry_VERSION~bundled_ARCH.deb    the same with a runtime of its own (Debian 12). One package with two versions: from the
 *                                    one to the other is an upgrade, during which pods run on. Under two names it would be
 *                                    a removal first, which ends them.
 * gantry-VERSION-ARCH.raw            with --sysext: a system extension (systemd-sysext(8)) for a read-only /usr
 */
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import manifest from "../package.json" with { type: "json" };
import { buildDeb, FLAVOURS } from "./deb.ts";
import { buildSysext } from "./sysext.ts";

const { values } = parseArgs({
  options: {
    sysext: { type: "boolean", default: false },
    version: { type: "string", default: manifest.version },
    output: { type: "string", default: "build/packages" },
  },
});

const directory = resolve(values.output);
await mkdir(directory, { recursive: true });
if (values.sysext) {
  console.log(await buildSysext({ version: values.version, directory }));
} else {
  for (const flavour of FLAVOURS)
    console.log(await buildDeb(flavour, { version: values.version, directory }));
}
