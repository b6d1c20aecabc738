/** `npm run demo`: the main job on real input, every command with its real output. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { busyboxImage, debianImage, writeOciArchive, writeOciLayout } from "../fixtures/images.ts";
import { BUILD } from "../host/machine.ts";
import { findPlace, type Place } from "./place.ts";
import { check, show, title } from "./show.ts";

const IMAGES = join(BUILD, "demo");

/** Says who it is, and ends with 7 when it is told to end. */
const WORKER =
  '. /etc/os-release; echo "worker on $PRETTY_NAME"; trap "echo bye; exit 7" TERM; sleep 1000 & wait';

async function makeImages(): Promise<{ web: string; debian: string }> {
  title("Two real images, made from Debian packages: busybox-static, and a Debian minbase");
  rmSync(IMAGES, { recursive: true, force: true });
  const web = await busyboxImage({
    Entrypoint: ["/bin/httpd", "-f", "-v", "-p", "127.0.0.1:8080", "-h", "/etc"],
    Cmd: [],
    Labels: { "org.example.role": "web" },
  });
  writeOciLayout(join(IMAGES, "web"), web, { ref: "1.0" });
  writeOciArchive(join(IMAGES, "debian.oci.tar"), debianImage(), { ref: "bookworm", compression: "zstd" });
  const images = {
    web: `oci:${join(IMAGES, "web")}:1.0`,
    debian: `oci-archive:${join(IMAGES, "debian.oci.tar")}`,
  };
  console.log(`${images.web}\n${images.debian}`);
  return images;
}

async function importImages(place: Place, images: { web: string; debian: string }): Promise<void> {
  title("An image without a signature is refused, unless the operator says otherwise");
  await show(place, `gantry fetch ${images.web}`, { status: 5 });
  await show(place, `gantry fetch --insecure-options=image ${images.web}`);
  await show(place, `gantry fetch --insecure-options=image ${images.debian}`);
  await show(place, "gantry image list");
}

async function runPod(place: Place, images: { web: string; debian: string }): Promise<void> {
  title("A pod of two apps, in the background");
  await show(
    place,
    "gantry run --insecure-options=image --net=none --name=web --detach " +
      `${images.web} --name=http --- ${images.debian} --name=worker --exec=/bin/bash -- -c '${WORKER}'`,
    { matches: [/^[0-9a-f-]{32,36}$/m] },
  );
  await show(place, "gantry list", { matches: [/\bweb\b/, /running/] });
}

async function inspectUnits(place: Place): Promise<void> {
  title("systemd supervises the apps themselves: Main PID is the app");
  await show(
    place,
    "systemctl status --no-pager --lines=3 gantry-web.http.service gantry-web.worker.service",
    {
      matches: [/Main PID: \d+ \(httpd\)/, /Main PID: \d+ \(bash\)/],
    },
  );
  const pid = await show(place, "systemctl show --value --property=MainPID gantry-web.http.service");
  const name = await show(place, `cat /proc/${pid}/comm`);
  check(`process ${pid}, which systemd watches, is the web server`, name === "httpd");
  const uid = await show(place, `stat -c %u /proc/${pid}`);
  check(`root in the pod is user ${uid} on the host`, Number(uid) >= 0x70000000);
}

async function talkToPod(place: Place): Promise<void> {
  title("Its journal, and a command inside");
  await settle(place, "journalctl --sync; journalctl -q GANTRY_POD=web | grep -q 'worker on'");
  await settle(place, "gantry exec --app=http web wget -q -O - http://127.0.0.1:8080/passwd");
  await show(place, "journalctl --no-pager --output=short GANTRY_POD=web", {
    matches: [/worker on Debian GNU\/Linux/],
  });
  await show(place, "gantry exec --app=worker web /bin/bash -c 'exit 3'", { status: 3 });
  await show(place, "gantry exec --app=http web wget -q -O - http://127.0.0.1:8080/passwd", {
    matches: [/^web:/m],
  });
}

/** The apps run, and may not have said or opened yet what is shown of them. */
async function settle(place: Place, condition: string): Promise<void> {
  await place.exec(["sh", "-c", `until ${condition}; do sleep 0.1; done`]);
}

async function endPod(place: Place): Promise<void> {
  title("A clean stop, and what is known afterwards");
  await show(place, "time gantry stop web");
  await show(place, "gantry status web", { matches: [/exited/, /app-worker=7/, /app-http=143/] });
  await show(place, "systemctl --no-pager --no-legend --failed list-units 'gantry-web*'", {
    matches: [/worker/],
  });
  await show(place, "gantry rm web");
  const units = await show(place, "systemctl --no-pager --no-legend --all list-units 'gantry-web*'");
  check("systemd knows no unit of the pod any more", units === "");
  await show(place, "gantry list");
  await show(place, "gantry image rm localhost/web:1.0 localhost/debian.oci:bookworm");
}

const begin = Date.now();
const images = await makeImages();
await using place = await findPlace();
title(`Running on ${place.description}`);
await importImages(place, images);
await runPod(place, images);
await inspectUnits(place);
await talkToPod(place);
await endPod(place);
console.log(`\nDone in ${((Date.now() - begin) / 1000).toFixed(1)} s. Nothing is left running.`);
