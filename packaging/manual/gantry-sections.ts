/** What gantry(1) says beside its verbs: the units of pods, what stays of pods and images, the environment, the files. */
import { item, literal, paragraph, type Roff, section } from "./roff.ts";

export function unitsSection(): Roff {
  return section(
    "UNITS",
    paragraph(
      "POD is the pod's name, or its UUID in 32 digits if it has none. In names that begin with `gantry-` a dash of it is written \\x2d, as systemd-escape(1) does: the pod my-web has `gantry-my\\x2dweb.slice`, and, installed, `gantry@my-web.service`.",
    ),
    item(
      "gantry-POD.APP.service",
      "An app. Its main process is the app itself; what limits it and the like (`MemoryMax=`, `CPUWeight=`, `OnFailure=`) may stand here. Command line, environment and user are the manifest's, whatever this unit says.",
    ),
    item("gantry-POD.slice", "All apps of the pod: what limits the pod as a whole."),
    item(
      "gantry-POD.service",
      "The pod's sandbox, which holds its namespaces and its output. Stopping it stops the apps.",
    ),
    item(
      "gantry@POD.service",
      "The same of an installed pod, to be enabled, ordered and required as any unit. Its drop-ins are about the pod's start and end (`After=`, `Requires=`, `ExecStartPre=`), and reach neither the apps nor the slice.",
    ),
    item("gantry.slice", "All pods."),
    paragraph(
      "The units but `gantry@POD.service` and `gantry.slice` are made at each start of the pod and gone after its end, and what `systemctl set-property` told them is gone with them. Drop-ins stay, and hold from the next start on, without `systemctl daemon-reload`:",
    ),
    literal([
      "mkdir -p '/etc/systemd/system/gantry-my\\x2dweb.http.service.d'",
      "printf '[Service]\\nCPUWeight=50\\n' > '/etc/systemd/system/gantry-my\\x2dweb.http.service.d/weight.conf'",
    ]),
    paragraph(
      "In the journal the apps' entries carry `GANTRY_POD` (as POD above, not escaped), `GANTRY_POD_UUID`, `GANTRY_APP`, `GANTRY_IMAGE` and `GANTRY_IMAGE_DIGEST`, for journalctl(1) to select by during the pod's life and after it. So do Gantry's own about images, pods and trust, with `GANTRY_UID` (who asked), `GANTRY_SOURCE` (where from), `GANTRY_KEY` and `GANTRY_PREFIX`, where they apply.",
    ),
  );
}

export function collectionSection(): Roff {
  return section(
    "WHAT STAYS",
    paragraph(
      "A pod that has ended stays with its exit status and everything it wrote, those of the foreground too, until `gantry rm` or a collection: `gantry-gc.timer` runs `gantry gc` once a day, which removes pods that ended 30 minutes ago or earlier, prepared ones that nobody has started for 24 hours, and what unfinished work left. Installed pods stay while they are installed.",
    ),
    paragraph(
      "Images are never collected by themselves: only `gantry image gc` removes those that nobody uses any more, when it is asked to, and `gantry image rm` the ones it is told.",
    ),
  );
}

export function environmentSection(): Roff {
  return section(
    "ENVIRONMENT",
    item(
      "REGISTRY_AUTH_FILE, DOCKER_CONFIG, XDG_RUNTIME_DIR, XDG_CONFIG_HOME, HOME",
      "Where the caller's credentials for registries are looked for; gantry-registries(5).",
    ),
    item(
      "http_proxy, https_proxy, no_proxy",
      "Proxies, in capitals too; of the command where root fetches, of the agent where that does.",
    ),
    item(
      "TMPDIR",
      "Where `gantry image build` keeps what it works on, about the size of the image; /var/tmp unless set.",
    ),
    item("GNUPGHOME, GPG_TTY and others of gpg(1)", "Passed on to gpg by `gantry image build --sign-key`."),
    item("TERM", "Passed on to an app that gets the caller's terminal."),
    item("GANTRY_DEBUG", "If set, an internal failure is told with the place in the program."),
    paragraph("Apps see nothing of it, unless `gantry run --inherit-env` says so."),
  );
}

export function filesSection(): Roff {
  return section(
    "FILES",
    item("/var/lib/gantry", "images, layers and pods; another place with --dir"),
    item("/etc/gantry/pods, /usr/lib/gantry/pods", "installed pods, NAME.json; gantry-pod-manifest(5)"),
    item(
      "/etc/gantry/trust.d, /etc/gantry/trustedkeys",
      "whose images run, and the same below /run/gantry and /usr/lib/gantry; gantry-trust-policy(5)",
    ),
    item(
      "/etc/gantry/registries.d, /etc/gantry/auth.d",
      "where images come from, likewise; gantry-registries(5)",
    ),
    item("/run/gantry/pods", "what running pods need of each other; gone with a reboot"),
  );
}
