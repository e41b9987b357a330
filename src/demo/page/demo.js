// The page: puts its parts together, and asks the demo's server how things are. The parts know each other by what happens (bus.js).

import { announce } from "./announce.js";
import { api } from "./api.js";
import { on, tell } from "./bus.js";
import { Cluster } from "./cluster.js";
import { Devices } from "./devices.js";
import { by, icon, mark, say } from "./dom.js";
import { Judge } from "./kept.js";
import { forgetDevices } from "./network.js";
import { Publisher } from "./publish.js";
import { recallTheme, setTheme, theme } from "./theme.js";
import { Timelines } from "./timelines.js";
import { TrafficLog } from "./traffic.js";
import { Tries } from "./tries.js";
import { Wires } from "./wires.js";

const LOOK_EVERY_MS = 350;
/** After so many looks in vain the demo has ended. */
const MISSES_MAX = 4;

function drawTheme() {
  const isDark = theme() === "dark";
  by("theme").replaceChildren(icon(isDark ? "sun" : "moon"));
  by("theme").setAttribute("aria-label", isDark ? "Light colours" : "Dark colours");
}

function watchPromise() {
  const judge = new Judge();
  on("traffic", ({ device, traffic }) => {
    judge.hear({ device, ...traffic });
    say(by("kept-count"), String(judge.broken.length));
    mark(by("kept"), "data-kept", judge.broken.length === 0 ? "yes" : "no");
    by("kept").title = `${judge.offers} offers and ${judge.confirms} confirms seen on both wires`;
    const last = judge.broken.at(-1);
    if (last) announce(`${last.id} was offered again on the ${last.device} ${last.why}`);
  });
}

async function startOver() {
  by("restart").disabled = true;
  const { body } = await api.state();
  await Promise.all(body.devices.map(({ device }) => api.wire(device, "mend")));
  await api.forget();
  forgetDevices();
  location.reload();
}

/** Asks how things are, again and again; slowly while nobody looks. */
async function watch() {
  for (let misses = 0; misses < MISSES_MAX; ) {
    const { status, body } = await api.state();
    misses = status === 200 ? 0 : misses + 1;
    if (status === 200) tell("state", body);
    const wait = document.hidden ? 4 * LOOK_EVERY_MS : LOOK_EVERY_MS;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
  by("over").hidden = false;
}

/** Reads the outcomes as they come, from the oldest that is kept; those of before the last new start are over. */
async function follow({ forgotten_at: forgottenAt }) {
  let after = null;
  for (;;) {
    const { status, body } = await api.outcomes(after);
    if (status === 200 && body.length > 0) {
      after = body.at(-1).cursor;
      const ours = body.filter(({ at }) => at > forgottenAt);
      if (ours.length > 0) tell("outcomes", ours);
    }
    // The nodes wait for the next by themselves; where none answers, somebody has to.
    if (status !== 200) await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    if (body?.code === "cursor_expired") after = null;
  }
}

recallTheme();
drawTheme();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawTheme);
by("theme").addEventListener("click", () => {
  setTheme(theme() === "dark" ? "light" : "dark");
  drawTheme();
  tell("theme", theme());
});
by("restart").prepend(icon("repeat"));
by("restart").addEventListener("click", startOver);

watchPromise();
new Wires();
new TrafficLog();
new Timelines();
new Tries();
const cluster = new Cluster();
new Publisher();
const { body: first } = await api.state();
new Devices(first);
cluster.draw(first);
void watch();
void follow(first);
