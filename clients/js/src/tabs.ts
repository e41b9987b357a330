/**
 * Which device a page talks to: its own, or, where tabs of one browser act as one, that of the tab that leads. Each tab has a {@link Device}; only the leader's connects.
 *
 * Without Web Locks and BroadcastChannel each tab uses its own, under an id of its own.
 */
import { Device } from "./device.ts";
import type { Found } from "./environment.ts";
import { wordsOf } from "./error.ts";
import { Group } from "./group.ts";
import { ALL, type FromTab, type ToTab } from "./hub.ts";
import { openStore } from "./storage.ts";
import type { Options } from "./types.ts";

export interface PageEvents {
  told(message: ToTab): void;
  presence(): FromTab;
}

const newId = (random: () => number): string => Array.from({ length: 16 }, () => Math.floor(random() * 36).toString(36)).join("");

export class Tabs {
  private readonly me: string;
  private readonly device: Device;
  private readonly isShared: boolean;
  private group?: Group;

  constructor(
    options: Options,
    private readonly environment: Found,
    private readonly events: PageEvents,
  ) {
    this.isShared = options.tabs !== false && !!environment.locks && !!environment.BroadcastChannel;
    this.me = newId(environment.random);
    const failed = (thrown: unknown): void => events.told({ type: "failed", failure: { code: "storage", message: wordsOf(thrown), retry: true } });
    const store = openStore(environment, options.storage, failed);
    this.device = new Device(options, environment, store, {
      ownId: () => this.ownId(store),
      lead: (group) => this.lead(group),
      tell: (tab, message) => this.tell(tab, message),
    });
    if (!this.isShared) this.device.receive(this.me, events.presence());
    void this.device.line.start();
  }

  post(message: FromTab): void {
    if (this.isLed) this.group?.ask(message);
    else this.device.receive(this.me, message);
  }

  /** A good time to see whether the connection is alive. */
  look(isVisible: boolean): void {
    if (!this.isLed) this.device.line.machine.resume();
    else if (isVisible) this.group?.look();
  }

  /** The page goes, perhaps to come back. */
  leave(): void {
    if (!this.isLed) this.device.farewell();
    this.part();
  }

  back(): void {
    this.device.line.machine.restart();
  }

  async close(): Promise<void> {
    await this.device.close();
    this.part();
  }

  /** Another tab leads. */
  private get isLed(): boolean {
    return !!this.group && !this.group.isLeader;
  }

  private part(): void {
    if (!this.group) return;
    this.group.end();
    this.group = undefined;
    this.device.line.machine.pause();
    this.device.forget();
  }

  /** Resolves when this tab is the one that talks to the server. */
  private async lead(name: string): Promise<void> {
    if (!this.isShared || (this.group?.isLeader && this.group.name === name)) return;
    this.group?.end();
    const { events, device, me } = this;
    const group: Group = new Group(name, me, this.environment, {
      asked: (from, message) => device.receive(from, message),
      told: (message) => events.told(message),
      presence: () => events.presence(),
      lost: () => {
        this.part();
        device.line.machine.restart();
      },
    });
    this.group = group;
    await group.lead();
    device.receive(me, events.presence());
  }

  private tell(tab: string, message: ToTab): void {
    if (this.isLed) return;
    if (tab === ALL || tab === this.me) this.events.told(message);
    if (tab !== this.me && message.type !== "traffic") this.group?.tell(tab, message);
  }

  /** One id for the browser; without a leader another one for each tab, that survives its reloads. */
  private async ownId(store: { get(key: string): Promise<string | undefined>; set(key: string, value: string): Promise<void> }): Promise<string> {
    const { sessionStorage, random } = this.environment;
    const kept = async (read: (key: string) => unknown, write: (key: string, id: string) => unknown, key: string): Promise<string> => {
      const id = ((await read(key)) as string | undefined) || newId(random);
      await write(key, id);
      return id;
    };
    const id = await kept(store.get, store.set, "engage:device");
    if (this.isShared || !sessionStorage) return id;
    return `${id}.${await kept((key) => sessionStorage.getItem(key), (key, own) => sessionStorage.setItem(key, own), "engage:tab")}`;
  }
}
