// What the page knows, and what is done with it: looks at the cluster each second, and hands it to the views. The only file that holds state.

import { Refused } from "./api.js";
import * as dialogs from "./dialogs.js";
import { History } from "./history.js";
import { Poller } from "./poller.js";
import * as searching from "./search.js";
import * as tailing from "./tail.js";
import { EMPTY, track } from "./track.js";
import { verdict } from "./verdict.js";

/** A user that is looked at is read again each so many looks. */
const USER_EVERY = 2;
/** Renders at most that often for outcomes that pour in. */
const GATHER_MS = 200;

export const VIEWS = ["overview", "nodes", "shards", "users", "outcomes"];

/** Which view an address names, and with what. Pure. */
export function place(hash) {
  const [name, argument] = hash.replace(/^#\/?/, "").split("/", 2);
  const view = VIEWS.includes(name) ? name : "overview";
  try {
    return { view, argument: argument ? decodeURIComponent(argument) : null };
  } catch {
    return { view, argument: null };
  }
}

/** One login, from its start to its end. */
export class App {
  cluster = null;
  figures = null;
  memory = EMPTY;
  history = new History();
  verdict = null;
  now = Date.now();
  /** Since when the node that serves the page does not answer; null while it does. */
  lostSince = null;
  view = "overview";
  ui = { cursor: null, tables: new Set(), sorts: new Map(), matrix: "trip50", shards: { leader: "", onlyOdd: false } };
  search = searching.nothing();
  tail = tailing.empty();
  /** What is asked, if something is. */
  asked = null;
  #api;
  #render;
  #leave;
  #poller;
  #follower;
  #looks = 0;
  #gathered = [];
  #gathering = null;

  /** `render` shows it; `leave` ends the login, with a word on why. */
  constructor(api, { render, leave }) {
    this.#api = api;
    this.#render = render;
    this.#leave = leave;
    const timers = { set: (work, pause) => setTimeout(work, pause), clear: (timer) => clearTimeout(timer), now: () => performance.now() };
    this.#poller = new Poller(() => this.#look(), timers);
    this.#follower = new tailing.Follower(api, (news) => this.#news(news));
    this.actions = this.#makeActions();
  }

  /** Looks on, while the page is visible. */
  start() {
    this.#poller.start();
    this.#follow();
  }

  stop() {
    this.#poller.stop();
    this.#follower.stop();
  }

  /** In how long the node is tried again, in ms. */
  get triedIn() {
    return Math.max(0, (this.#poller.nextAt ?? 0) - performance.now());
  }

  /** Goes to the view that an address names. */
  async go(hash) {
    const { view, argument } = place(hash);
    this.view = view;
    this.#follow();
    if (view === "users" && argument !== null && argument !== this.search.id) await this.#find(argument);
    this.#render();
  }

  async #look() {
    try {
      const [cluster, figures] = await Promise.all([this.#api.get("v1/cluster"), this.#api.get("v1/cluster/figures").catch(unlessLoggedOut)]);
      this.now = Date.now();
      if (figures) this.history.take(figures, this.now);
      this.memory = track(this.memory, { cluster, figures }, this.now);
      this.verdict = verdict({ cluster, figures, memory: this.memory, history: this.history, now: this.now });
      Object.assign(this, { cluster, figures: figures ?? this.figures, lostSince: null });
      this.#follow();
      this.#looks += 1;
      if (this.view === "users" && this.search.id !== null && this.#looks % USER_EVERY === 0) await this.#readUser();
      this.#render();
    } catch (error) {
      if (error instanceof Refused && [401, 403].includes(error.status)) return this.#leave("This key is not accepted any more. Log in again.");
      this.now = Date.now();
      this.lostSince ??= this.now;
      this.#render();
      throw error;
    }
  }

  async #readUser() {
    const wanted = this.search;
    const found = await searching.read(this.#api, wanted);
    // Whoever looked for another one meanwhile wants that.
    if (this.search.id !== wanted.id) return;
    const { open, pages, typed } = this.search;
    this.search = { ...found, open, pages, typed };
  }

  async #find(id) {
    this.search = { ...searching.nothing(), id, said: `Looking for ${id}…` };
    this.#render();
    await this.#readUser();
    this.#render();
  }

  /** The feed is followed while its view is open, and somebody looks. */
  #follow() {
    const isWanted = this.view === "outcomes" && !this.tail.isPaused && !document.hidden;
    const cursor = this.figures?.outcomes_cursor;
    if (!isWanted) this.#follower.stop();
    else if (cursor) this.#follower.start(cursor);
  }

  #news({ outcomes, trouble }) {
    if (trouble) this.tail = { ...this.tail, trouble };
    else this.#gathered.push(...outcomes);
    this.#gathering ??= setTimeout(() => {
      this.#gathering = null;
      this.tail = this.#gathered.length > 0 ? tailing.added(this.tail, this.#gathered) : this.tail;
      this.#gathered = [];
      this.#render();
    }, GATHER_MS);
  }

  #change(part, change) {
    this[part] = { ...this[part], ...change };
    this.#render();
  }

  #ask(question) {
    this.asked = { question, typed: "", isBusy: false, said: null, isDone: false };
    this.#render();
  }

  async #confirm(event) {
    event.preventDefault();
    const { asked } = this;
    if (asked.isBusy || (asked.question.typed && asked.typed !== asked.question.typed)) return;
    this.#change("asked", { isBusy: true, said: null });
    let result;
    try {
      const said = asked.question.done(await asked.question.act(this.#api));
      result = { isBusy: false, isDone: true, said };
    } catch (error) {
      result = { isBusy: false, said: `Not done: ${error.message}.` };
    }
    // What closed meanwhile stays closed; what has nothing to say closes.
    if (this.asked?.question === asked.question) this.asked = result.isDone && result.said === null ? null : { ...this.asked, ...result };
    if (this.search.id !== null && this.view === "users") await this.#readUser().catch(() => {});
    this.#render();
    this.#poller.again();
  }

  #makeActions() {
    const { ui } = this;
    const redraw = () => this.#render();
    const setUi = (change) => (Object.assign(ui, change), redraw());
    return {
      setCursor: (cursor) => setUi({ cursor }),
      toggleTable: (id) => (ui.tables.delete(id) || ui.tables.add(id), redraw()),
      sorts: { get: (id) => ui.sorts.get(id), set: (id, sort) => (ui.sorts.set(id, sort), redraw()) },
      setMatrix: (matrix) => setUi({ matrix }),
      setShards: (change) => setUi({ shards: { ...ui.shards, ...change } }),
      askDrain: (node) => this.#ask(dialogs.drain(node)),
      askRemove: (node) => this.#ask(dialogs.remove(node)),
      askWithdraw: (delivery) => this.#ask(dialogs.withdraw(this.search.id, delivery)),
      askForget: (user) => this.#ask(dialogs.forget(user)),
      type: (event) => this.#change("asked", { typed: event.target.value }),
      confirm: (event) => this.#confirm(event),
      close: () => ((this.asked = null), redraw()),
      typeUser: (event) => this.#change("search", { typed: event.target.value }),
      search: (event) => {
        event.preventDefault();
        const id = event.target.elements.user.value;
        const hash = `#users/${encodeURIComponent(id)}`;
        if (location.hash === hash) this.#find(id);
        else location.hash = hash;
      },
      more: () => (this.#change("search", { pages: this.search.pages + 1 }), this.#readUser().then(redraw)),
      toggleTimeline: (delivery) => ((this.search = searching.toggled(this.search, delivery)), redraw(), this.#readUser().then(redraw)),
      filterTail: (filter) => this.#change("tail", { filter }),
      pauseTail: () => (this.#change("tail", { isPaused: !this.tail.isPaused }), this.#follow()),
      again: () => this.#poller.again(),
    };
  }
}

/** Figures that can't be had leave the rest of the page as it is. */
function unlessLoggedOut(error) {
  if (error instanceof Refused && error.status === 401) throw error;
  return null;
}
