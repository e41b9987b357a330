/**
 * A browser, as far as the client looks at one: tabs that come into view, go, crash and come back, with locks, channels and storage that they share.
 */
import type { ChannelLike, Environment, LocksLike, Store } from "../../src/types.ts";
import type { Clock } from "./clock.ts";

interface Waiting {
  readonly tab: Tab;
  readonly name: string;
  readonly grant: () => void;
}

export class Browser {
  private readonly held = new Map<string, Tab>();
  private readonly waiting: Waiting[] = [];
  private readonly channels = new Set<Channel>();
  readonly local = store();

  constructor(
    readonly clock: Clock,
    readonly rest: Partial<Environment>,
    readonly options: { locks?: boolean } = {},
  ) {}

  open(): Tab {
    return new Tab(this);
  }

  locks(tab: Tab): LocksLike {
    return {
      request: (name, { ifAvailable }, run) =>
        new Promise((resolve, reject) => {
          const grant = (): void => {
            this.held.set(name, tab);
            Promise.resolve(run({ name }))
              .then(resolve, reject)
              .finally(() => this.free(name, tab));
          };
          if (ifAvailable && this.held.has(name)) Promise.resolve(run(null)).then(resolve, reject);
          else {
            this.waiting.push({ tab, name, grant });
            this.grant();
          }
        }),
    };
  }

  channel(tab: Tab): Environment["BroadcastChannel"] {
    const { channels } = this;
    return class extends Channel {
      constructor(name: string) {
        super(name, tab, channels);
      }
    };
  }

  /** A tab is gone: what it held is free, what it waited for is forgotten. */
  forget(tab: Tab): void {
    for (const channel of [...this.channels]) if (channel.tab === tab) channel.close();
    this.waiting.splice(0, Infinity, ...this.waiting.filter((one) => one.tab !== tab));
    for (const [name, holder] of [...this.held]) if (holder === tab) this.free(name, tab);
  }

  private free(name: string, tab: Tab): void {
    if (this.held.get(name) !== tab) return;
    this.held.delete(name);
    this.grant();
  }

  private grant(): void {
    const next = this.waiting.findIndex(({ name }) => !this.held.has(name));
    if (next < 0) return;
    const [one] = this.waiting.splice(next, 1) as [Waiting];
    this.held.set(one.name, one.tab);
    setImmediate(() => {
      if (one.tab.isAlive) one.grant();
      else this.free(one.name, one.tab);
    });
    this.grant();
  }
}

class Channel implements ChannelLike {
  onmessage: ChannelLike["onmessage"] = null;

  constructor(
    readonly name: string,
    readonly tab: Tab,
    private readonly all: Set<Channel>,
  ) {
    all.add(this);
  }

  postMessage(message: unknown): void {
    // What a crashed tab would still do, it doesn't.
    if (!this.tab.isAlive) return;
    if (!this.all.has(this)) throw new Error("the channel is closed");
    const copy = structuredClone(message);
    for (const other of this.all) {
      if (other !== this && other.name === this.name) setImmediate(() => this.all.has(other) && other.tab.isAlive && other.onmessage?.({ data: copy }));
    }
  }

  close(): void {
    this.all.delete(this);
  }
}

export class Tab {
  isAlive = true;
  readonly window = new EventTarget();
  readonly document = Object.assign(new EventTarget(), { visibilityState: "visible" });
  readonly session = store();
  private readonly sockets: { close(): void }[] = [];

  constructor(private readonly browser: Browser) {}

  get environment(): Partial<Environment> {
    const { clock, local, options } = this.browser;
    const alive = (run: () => void) => () => {
      if (this.isAlive) run();
    };
    return {
      ...this.browser.rest,
      ...clock.environment,
      setTimeout: (run, ms) => clock.environment.setTimeout(alive(run), ms),
      localStorage: local,
      sessionStorage: this.session,
      indexedDB: undefined,
      locks: options.locks === false ? undefined : this.browser.locks(this),
      BroadcastChannel: options.locks === false ? undefined : this.browser.channel(this),
      window: this.window as Environment["window"],
      document: this.document as unknown as Environment["document"],
    };
  }

  look(isVisible: boolean): void {
    this.document.visibilityState = isVisible ? "visible" : "hidden";
    this.document.dispatchEvent(new Event("visibilitychange"));
  }

  /** As a browser closes or reloads a tab. */
  close(): void {
    this.window.dispatchEvent(new Event("pagehide"));
    this.crash();
  }

  /** Into the back-forward cache. */
  hide(): void {
    this.window.dispatchEvent(Object.assign(new Event("pagehide"), { persisted: true }));
  }

  back(): void {
    this.window.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  }

  online(): void {
    this.window.dispatchEvent(new Event("online"));
  }

  /** Without a word. What the page still does, nobody hears. */
  crash(): void {
    this.isAlive = false;
    for (const socket of this.sockets) socket.close();
    this.browser.forget(this);
  }
}

/** As localStorage. */
export function store(): Store & { readonly all: Map<string, string> } {
  const all = new Map<string, string>();
  return {
    all,
    getItem: (key) => all.get(key) ?? null,
    setItem: (key, value) => {
      all.set(key, value);
    },
  };
}
