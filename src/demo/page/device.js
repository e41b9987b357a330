// One device of the demo: a shop's app, and in it a real client of the JS package. It tells the page around it what its client does, and does what that page says; the two share an origin.

import { api } from "./api.js";
import { by, icon } from "./dom.js";
import { connect } from "./engage.js";
import { Network, compartment } from "./network.js";
import { Screen } from "./screen.js";
import { recallTheme, setTheme } from "./theme.js";

const wishes = new URLSearchParams(location.search);
const device = wishes.get("device");

recallTheme();
document.documentElement.dataset.device = device;
for (const tool of ["search", "star", "bag"]) by(tool).append(icon(tool));
by("asleep-icon").append(icon("eye"));
by("network").append(icon("online"), icon("offline"));
by("asleep").addEventListener("click", () => tell({ kind: "wake" }));

function tell(what) {
  parent.postMessage({ from: device, ...what }, location.origin);
}

/** One clock for both devices: that of the machine. */
function now() {
  return performance.timeOrigin + performance.now();
}

function traffic(direction, message, isLost = false) {
  tell({ kind: "traffic", traffic: { direction, message, isLost, at: now() } });
}

/** The lines to the nodes: at first not to the owner, so that its death is somebody else's, and each device through another node. */
async function urls() {
  const { body: state } = await api.state();
  const place = state.devices.findIndex((known) => known.device === device);
  const { lines } = state.devices[place];
  const others = lines.filter((line) => line.node !== state.owner);
  const turned = [...others.slice(place), ...others.slice(0, place)];
  return [...turned, ...lines.filter((line) => line.node === state.owner)].map((line) => line.url);
}

async function getToken() {
  const { status, body } = await api.token(device);
  if (status !== 200) throw new Error("the demo gives no token");
  return body.token;
}

async function start() {
  const network = new Network((messages) => {
    for (const message of messages) traffic("in", message, true);
    tell({ kind: "lost" });
    void api.wire(device, "tear");
  });
  let isVisible = wishes.get("visible") === "true";
  const engage = connect({
    url: await urls(),
    getToken,
    device,
    show: 1,
    visible: isVisible,
    storage: compartment(device),
    tabs: false,
    transport: "websocket",
    environment: { WebSocket: network.WebSocket },
  });
  const screen = new Screen();

  function look() {
    by("asleep").hidden = isVisible;
    by("app").inert = !isVisible;
    by("screen").inert = !isVisible;
  }

  engage.on("state", (state) => {
    document.documentElement.dataset.state = state.name;
    screen.connection(state.name);
    tell({ kind: "state", state: { ...state } });
  });
  engage.on("message", ({ direction, message }) => traffic(direction, message));
  engage.on("change", () => tell({ kind: "pending", pending: engage.pending }));
  engage.on("offer", (delivery) => screen.offer(delivery));
  engage.on("notice", (notice) => screen.notice(notice));
  engage.on("error", (error) => tell({ kind: "error", code: error.code, message: error.message }));

  const orders = {
    visible: ({ visible }) => {
      isVisible = visible;
      engage.setVisible(visible);
      look();
    },
    lose: () => network.loseNextConfirm(),
    // What a browser says of itself when the network is back.
    online: () => dispatchEvent(new Event("online")),
    theme: ({ theme }) => setTheme(theme),
  };
  addEventListener("message", (event) => {
    if (event.origin === location.origin && event.source === parent) orders[event.data.order]?.(event.data);
  });
  look();
  tell({ kind: "started", state: { ...engage.state } });
}

await start();
