/** gantry(1), from the verbs' own help. */
import { ERROR_KINDS } from "../../src/base/errors.ts";
import { optionLines, verbHelp } from "../../src/cli/help.ts";
import { GLOBAL_OPTIONS } from "../../src/cli/options.ts";
import { VERBS } from "../../src/cli/verbs.ts";
import { collectionSection, environmentSection, filesSection, unitsSection } from "./gantry-sections.ts";
import { helpText } from "./help.ts";
import { item, literal, nameSection, type Page, paragraph, type Roff, section, subsection } from "./roff.ts";

export async function gantryPage(): Promise<Page> {
  const body = [
    nameSection("gantry", "run signed container images as ordinary systemd services"),
    section("SYNOPSIS", paragraph("`gantry` [--dir=DIR] VERB …")),
    section(
      "DESCRIPTION",
      paragraph(
        "A pod is one or more apps that live and die together. Each app is an image's program, started as an ordinary service: its `Main PID` is the app, and systemctl(1), systemd.resource-control(5) and journalctl(1) work on it as on any other. No daemon of Gantry's is behind it.",
      ),
      paragraph(
        "Verbs may be shortened as long as they are unambiguous. Root's verbs work by themselves. For everybody else gantry-agent(8) does the work, and polkit decides, except of what only root may do: `run` and `run-prepared` without --detach, `exec` and `enter`, `cat-manifest`, `gc` with options, `image gc`, `image export`, `image extract`, `image render`, `trust import`, and whatever is told another data directory. `image build` is the caller's own affair.",
      ),
      paragraph(
        "An app runs as its image says: program, arguments, environment, user, working directory, stop signal, volumes. An image's HEALTHCHECK is ignored: an app that shall be watched notifies, see `ready` and `watchdog` in gantry-pod-manifest(5).",
      ),
    ),
    section("VERBS", ...(await verbSections())),
    section("GLOBAL OPTIONS", paragraph("Every verb takes them."), helpText(optionLines(GLOBAL_OPTIONS))),
    section("EXIT STATUS", ...exitStatus()),
    unitsSection(),
    collectionSection(),
    environmentSection(),
    filesSection(),
    section(
      "EXAMPLES",
      paragraph("A web server in the background, its log, and its end:"),
      literal([
        "gantry run --name=web --net=host --detach oci-archive:web.tar --memory=256M",
        "journalctl GANTRY_POD=web",
        "gantry stop web",
      ]),
      paragraph("The same as a service of the host, from a pod manifest:"),
      literal([
        "gantry install web.json",
        "systemctl enable --now gantry@web",
        "systemctl status gantry-web.http",
      ]),
    ),
    section(
      "TRUST",
      paragraph("Images of example.com that Alice has signed, and what is known of one of them:"),
      literal([
        "gantry trust --prefix=example.com alice.asc",
        "gantry fetch example.com/web",
        "gantry trust explain example.com/web",
      ]),
      paragraph(
        "A pod whose image's key is removed with `gantry trust rm` runs on, and is refused at its next start.",
      ),
    ),
    section(
      "SEE ALSO",
      paragraph(
        "gantry-pod-manifest(5), gantry-registries(5), gantry-trust-policy(5), gantry-agent(8), org.gantry1(5), systemctl(1), journalctl(1), systemd-escape(1)",
      ),
    ),
  ];
  return { name: "gantry", section: 1, body };
}

async function verbSections(): Promise<Roff[]> {
  const verbs = await Promise.all(Object.values(VERBS).map((load) => load()));
  return verbs.sort((a, b) => (a.name < b.name ? -1 : 1)).map((verb) => verbSection(verbHelp(verb)));
}

/** The first line of the help is the heading; options that every verb has are told once. */
function verbSection(help: string): Roff {
  const own = help.replace(optionLines(GLOBAL_OPTIONS), "").replace(/\n\nOptions:\s*$/, "");
  const [usage = "", ...rest] = own.split("\n");
  return subsection(usage.replace("Usage: ", "").trim(), helpText(rest.join("\n").trim()));
}

function exitStatus(): Roff[] {
  const kinds = (exit: number) =>
    Object.entries(ERROR_KINDS)
      .filter(([, face]) => face.exit === exit)
      .map(([kind]) => kind)
      .join(", ");
  const meanings = [
    "failed",
    "the command line is wrong",
    "the pod is not running",
    "there is no such thing",
  ];
  const statuses = [...meanings, "refused by trust policy", "not allowed"];
  return [
    item("0", "done"),
    ...statuses.map((meaning, index) => item(String(index + 1), `${meaning}: ${kinds(index + 1)}`)),
    item("125", "`run`, `run-prepared` and `exec` only: Gantry itself failed"),
    item("126, 127", "the same verbs: the program can't be executed, or is not there"),
    item("128 + n", "the same verbs: the app was ended by signal n"),
    paragraph("Without one of these, `run` and `exec` return the app's own status."),
  ];
}
