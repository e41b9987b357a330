// The phone and the laptop: a frame with a real client in each, what that client does, and the buttons for what happens to devices.

import { announce } from "./announce.js";
import { api } from "./api.js";
import { on, tell } from "./bus.js";
import { Device } from "./device-frame.js";
import { by } from "./dom.js";
import { theme } from "./theme.js";

/** See above. */
export class Devices {
  #devices = new Map();

  constructor(state) {
    for (const { device: name } of state.devices) {
      const device = new Device(name, {
        look: () => this.#look(name),
        toggleNetwork: () => this.#toggleNetwork(name),
        lose: () => device.order("lose"),
        kill: () => this.#kill(name),
        open: () => this.#open(name),
      });
      this.#devices.set(name, device);
      by("devices").append(device.element);
    }
    const [first] = this.#devices.keys();
    for (const [name, device] of this.#devices) device.open({ isLookedAt: name === first });
    addEventListener("message", (event) => this.#hear(event));
    on("state", ({ devices, lease_ms: leaseMs }) => devices.forEach(({ device, is_cut: isCut }) => this.#devices.get(device).network({ isCut, leaseMs })));
    on("theme", () => this.#devices.forEach((device) => device.order("theme", { theme: theme() })));
  }

  /** What a frame says, if it is one of ours. */
  #hear(event) {
    const device = this.#devices.get(event.data?.from);
    if (event.origin !== location.origin || !device || event.source !== device.window) return;
    const { from: name, kind } = event.data;
    if (kind === "traffic") {
      device.hear(event.data.traffic);
      tell("traffic", { device: name, traffic: event.data.traffic });
    } else if (kind === "state" || kind === "started") {
      device.client(event.data.state);
      tell("device", { device: name, state: event.data.state });
    } else if (kind === "pending") {
      device.pending(event.data.pending);
    } else if (kind === "lost") {
      device.lost();
      tell("lost", { device: name });
      announce(`A confirm for the ${name} was lost, and its line with it`);
    } else if (kind === "wake") {
      this.#look(name);
    }
  }

  /** One is looked at; the other is hidden. */
  #look(looked) {
    for (const [name, device] of this.#devices) device.look(name === looked);
    tell("looked", { device: looked });
    announce(`Ann looks at the ${looked}`);
  }

  async #toggleNetwork(name) {
    const device = this.#devices.get(name);
    const what = device.isCut ? "mend" : "cut";
    await api.wire(name, what);
    device.network({ isCut: what === "cut" });
    if (what === "mend") device.order("online");
    tell(what === "cut" ? "cut" : "mended", { device: name });
    announce(`The ${name} is ${what === "cut" ? "offline" : "online"}`);
  }

  /** As a tab dies whose process is killed: its wire ends in the middle of a word, and nothing of it runs any more. */
  async #kill(name) {
    const device = this.#devices.get(name);
    const wasCut = device.isCut;
    await api.wire(name, "cut");
    device.kill();
    if (!wasCut) await api.wire(name, "mend");
    tell("tabKilled", { device: name });
    announce(`The tab of the ${name} was killed`);
  }

  #open(name) {
    this.#devices.get(name).open({});
    tell("tabOpened", { device: name });
  }
}
