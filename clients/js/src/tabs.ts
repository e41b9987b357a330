/**
 * Which device a page talks to: its own, or, where tabs of one browser act as one, that of the tab that leads. Each tab has a device; only the leader's connects.
 *
 * Without Web Locks and BroadcastChannel each tab uses its own, under an id of its own.
 */
import { createDevice } from "./device.ts";
import type { Found } from "./environment.ts";
import { createGroup, type Group } from "./group.ts";
import { ALL, type FromTab, type ToTab } from "./hub.ts";
import type { Options, Store } from "./types.ts";

export interface PageEvents {
  told(message: ToTab): void;
  presence(): FromTab;
}

export interface Tabs {
  post(message: FromTab): void;
  /** A good time to see whether the connection is alive. */
  look(): void;
  /** The page goes, perhaps to come back. */
  leave(): void;
  back(): void;
  close(): Promise<void>;
}

export function createTabs(options: Options, environment: Found, { told, presence }: PageEvents): Tabs {
  const { locks, BroadcastChannel, sessionStorage, random } = environment;
  const isShared = options.tabs !== false && locks && BroadcastChannel;
  const newId = (): string => random().toString(36).slice(2);
  const me = newId();
  let group: Group | undefined;

  /** Another tab leads. */
  const isLed = (): boolean => !!group && !group.isLeader();

  const keptId = async (where: Store, key: string): Promise<string> => {
    const id = (await where.getItem(key)) || newId();
    await where.setItem(key, id);
    return id;
  };

  const part = (): void => {
    if (!group) return;
    group.end();
    group = undefined;
    device.line.pause();
    device.forget();
  };

  const device = createDevice(options, environment, {
    async ownId(store) {
      const id = await keptId(store, "engage:device");
      // Each tab its own, which survives the tab's reloads.
      return isShared || !sessionStorage ? id : id + "." + (await keptId(sessionStorage, "engage:tab").catch(newId));
    },
    async lead(name) {
      if (!isShared || (group?.name === name && group.isLeader())) return undefined;
      group?.end();
      group = createGroup(name, me, environment, {
        asked: device.receive,
        told,
        presence,
      });
      await group.lead();
      device.receive(me, presence());
      return group.gather;
    },
    tell(tab, message) {
      // A tab that is led speaks through its leader, but for its own mishaps.
      if (isLed() && message.type !== "error") return;
      if (tab === ALL || tab === me) told(message);
      if (tab !== me && message.type !== "message") group?.tell(tab, message);
    },
  });

  if (!isShared) device.receive(me, presence());
  void device.line.start();
  return {
    post(message) {
      if (isLed()) group?.ask(message);
      else device.receive(me, message);
    },
    look() {
      if (!isLed()) device.line.resume();
    },
    leave() {
      if (!isLed()) device.farewell();
      part();
    },
    back: device.line.restart,
    async close() {
      // First: the others go on.
      part();
      await device.close();
    },
  };
}
