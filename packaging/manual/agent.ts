/** gantry-agent(8); which action guards what comes from the interface tables. */
import type { MethodRow } from "../../src/bus/table.ts";
import { ACTIONS } from "../../src/interface/actions.ts";
import { TABLES } from "../../src/interface/tables.ts";
import { item, literal, nameSection, type Page, paragraph, type Roff, section } from "./roff.ts";

export function agentPage(): Page {
  const body = [
    nameSection("gantry-agent", "Gantry's interface on the system bus"),
    section("SYNOPSIS", literal(["gantry-agent.service", "/usr/lib/gantry/gantry-agent"])),
    section(
      "DESCRIPTION",
      paragraph(
        "The agent serves org.gantry1(5) on the system bus. The bus starts it with the first call, and it ends when it has had nothing to do for 30 seconds and nobody is subscribed. Pods don't depend on it: they are units of systemd, before, while and after it runs.",
      ),
      paragraph(
        "It runs as root inside of a hardened unit, without network. What it changes it changes through systemd and below /var/lib/gantry, /etc/gantry/pods, /etc/gantry/trust.d and /etc/gantry/trustedkeys.",
      ),
      paragraph("`systemctl mask gantry-agent.service` takes it off the bus."),
      paragraph(
        "What it logs changes while it runs: `systemctl service-log-level gantry-agent debug` has it log every call. Its next start logs as ever.",
      ),
    ),
    section(
      "AUTHORIZATION",
      paragraph(
        "Reading is free. What changes something is one polkit action per verb and noun; root is not asked. The question carries `verb` and, where they apply, `pod`, `uuid` and `image`, for rules to look at. An example is in /usr/share/doc/gantry/examples.",
      ),
      ...Object.values(ACTIONS).map((action) => item(action, guardedBy(action))),
    ),
    section(
      "SIGNALS",
      item(
        "SIGTERM",
        "Leaves the bus, ends what has been begun, and exits. No call is lost: the next one starts it anew.",
      ),
    ),
    section("SEE ALSO", paragraph("gantry(1), org.gantry1(5), polkit(8), busctl(1), systemctl(1)")),
  ];
  return { name: "gantry-agent", section: 8, body };
}

function guardedBy(action: string): Roff {
  const methods = TABLES.flatMap(({ name, methods }) =>
    Object.entries<MethodRow>(methods)
      .filter(([, row]) => row.action === action)
      .map(([member]) => `${name.replace("org.gantry1.", "")}.${member}`),
  );
  if (action === ACTIONS.logChange) return "LogLevel and LogTarget of org.freedesktop.LogControl1.";
  return methods.length === 0 ? "Asked in addition, by what the call wants." : methods.join(", ");
}
