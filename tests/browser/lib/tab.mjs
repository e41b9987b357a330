// A tab of a browser with the JS client in it: a page that connects as its address says, and tells the test, over every reload, what it saw.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { startSite } from "./site.mjs";
import { token } from "./tokens.mjs";
import { until } from "./wait.mjs";

/** The client as the binary carries it: one file, as an app would bundle it. */
export const BUNDLE = fileURLToPath(new URL("../../../src/demo/page/engage.js", import.meta.url));

const PAGE = `<!doctype html><meta charset="utf-8"><title>an app</title><script type="module" src="/app.js"></script>`;

// Runs in the page. Everything that the client says becomes a note; deliveries stay at hand for the test, by id.
const APP = `
import { connect } from "/engage.js";
const options = JSON.parse(decodeURIComponent(location.hash.slice(1)) || "null");
const told = (kind, detail) => void window.note({ kind, ...detail });
window.deliveries = new Map();
window.saidOf = ({ id, nextStep, steps, data, resumed, offer, state }) => ({ id, nextStep, steps, data, resumed, offer, state });
window.join = (more) => {
  const engage = connect({ getToken: (why) => window.freshToken(why, more.user), ...more });
  engage.on("state", ({ name, code, transport, node, connection, retryInMs }) => told("state", { name, code, transport, node, connection, retryInMs }));
  engage.on("offer", (delivery) => {
    window.deliveries.set(delivery.id, delivery);
    told("offer", window.saidOf(delivery));
  });
  engage.on("notice", (notice) => (notice.seen(), told("notice", { id: notice.id })));
  engage.on("withdraw", ({ delivery, reason }) => told("withdraw", { id: delivery.id, reason, aborted: delivery.signal.aborted }));
  engage.on("confirm", ({ id, step, state, yours }) => told("confirm", { id, step, state, yours }));
  engage.on("error", ({ code, message }) => told("error", { code, message }));
  engage.on("message", ({ direction, message }) => told("message", { direction, message }));
  return engage;
};
window.act = (id, what, ...args) => window.deliveries.get(id)[what](...args);
if (options) window.engage = window.join(options);
`;

/** A web origin that serves the app. */
export async function startApp() {
  const script = await readFile(BUNDLE, "utf8");
  return startSite({ pages: { "/": PAGE, "/app.js": APP, "/engage.js": script, "/away": "<!doctype html><title>elsewhere</title>" } });
}

/** Opens a tab in a context. `options` are those of the client, and the user; `tokenFor(why, user)` gives tokens, good ones when left out. */
export async function openTab(context, site, protocol, options, tokenFor = () => token(options.user)) {
  const tab = new Tab(await context.newPage(), site, protocol, options);
  await tab.page.exposeBinding("note", (_, note) => void tab.notes.push({ ...note, at: performance.now() }));
  await tab.page.exposeBinding("freshToken", (_, why, user) => (tab.asked.push(why), tokenFor(why, user)));
  return tab;
}

export class Tab {
  /** All that the client said in this tab, over its reloads. */
  notes = [];
  /** Why tokens were asked for. */
  asked = [];
  /** WebSockets that were opened. */
  sockets = [];
  /** What went over them: `{direction, message}`. */
  frames = [];
  /** What went wrong in the page, or on the wire. */
  faults = [];

  constructor(page, site, protocol, options) {
    this.page = page;
    this.address = `${site.origin}/#${encodeURIComponent(JSON.stringify(options))}`;
    page.on("pageerror", (error) => this.faults.push(String(error.stack ?? error)));
    page.on("websocket", (socket) => {
      this.sockets.push(socket);
      socket.on("framesent", ({ payload }) => this.#judge(protocol, "client", payload));
      socket.on("framereceived", ({ payload }) => this.#judge(protocol, "server", payload));
    });
  }

  #judge(protocol, direction, payload) {
    try {
      for (const message of protocol.judge(direction, JSON.parse(payload))) this.frames.push({ direction, message });
    } catch (error) {
      this.faults.push(String(error));
    }
  }

  /** Loads the app, also again, and waits until its client is connected. */
  async load() {
    const before = this.notes.length;
    await this.page.goto(this.address);
    return this.opened(before);
  }

  /** The same by the browser's own reload. */
  async reload() {
    const before = this.notes.length;
    await this.page.reload();
    return this.opened(before);
  }

  /** The next note of a kind that fits, from a place in the notes on. */
  async noted(kind, fits = {}, from = 0) {
    const isIt = (note) => note.kind === kind && Object.entries(fits).every(([key, value]) => note[key] === value);
    const tail = () => this.notes.filter((note) => note.kind !== "message").slice(-6).map((note) => JSON.stringify(note)).join(" ");
    return until(() => `${kind} ${JSON.stringify(fits)} is told; the last were ${tail()}; faults: ${this.faults}`, () => this.notes.slice(from).find(isIt));
  }

  opened(from = 0) {
    return this.noted("state", { name: "open" }, from);
  }

  /** Does something with a delivery, and waits for the server's word; `{code}` where it is refused. */
  async act(id, what, ...args) {
    return this.page.evaluate(([id, what, args]) => window.act(id, what, ...args).then((answer) => answer, ({ code }) => ({ code })), [id, what, args]);
  }

  /** Does it without waiting. */
  async begin(id, what, ...args) {
    return this.page.evaluate(([id, what, args]) => void window.act(id, what, ...args).catch(() => {}), [id, what, args]);
  }

  /** How many acks have no confirm. */
  pending() {
    return this.page.evaluate(() => window.engage.pending);
  }

  /** What was offered to this tab, in order. */
  offers(from = 0) {
    return this.notes.slice(from).filter((note) => note.kind === "offer").map((note) => note.id);
  }

  /** Messages of a type that its client sent, whether or not they got onto a wire. */
  sent(type) {
    const isIt = ({ kind, direction, message }) => kind === "message" && direction === "out" && message.type === type;
    return this.notes.filter(isIt).map(({ message }) => message);
  }

  /** Messages of a type that went over its wires. */
  said(type, direction = "client") {
    return this.frames.filter((frame) => frame.direction === direction && frame.message.type === type).map((frame) => frame.message);
  }

  /** Ends its process, as a crash or the system does: the page gets no last word. */
  async kill() {
    const session = await this.page.context().newCDPSession(this.page);
    const crashed = new Promise((resolve) => this.page.once("crash", resolve));
    session.send("Page.crash").catch(() => {});
    await crashed;
    await this.page.close();
  }
}
