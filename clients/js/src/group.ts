/**
 * The tabs of one user in one browser, seen from one of them: who leads, who lives, and how they talk. The leader holds a Web Lock; every tab holds one of its own, by
 * which the others notice its end, also that of a crash. (Browsers don't freeze a tab that holds a lock, so nobody takes the lead from a tab that lives.)
 */
import type { Found } from "./environment.ts";
import { ALL, type FromTab, type ToTab } from "./hub.ts";
import type { Environment } from "./types.ts";

/** How long a new leader waits for the others to say what they show. */
const GATHER_MS = 150;

type Letter = { readonly from: string; readonly message: FromTab } | { readonly to: string; readonly message: ToTab };

export interface GroupEvents {
  /** To the leader. */
  asked(from: string, message: FromTab): void;
  /** To the others. */
  told(message: ToTab): void;
  /** How this tab is, with all that it shows and waits for. */
  presence(): FromTab;
}

export interface Group {
  readonly name: string;
  isLeader(): boolean;
  /** Resolves when this tab leads; never, if it ends before. */
  lead(): Promise<void>;
  /** Asks the others what they show; resolves when they have had time to say it, if there may be any. */
  gather(): Promise<void>;
  /** Says something to the leader. */
  ask(message: FromTab): void;
  /** Says something as the leader. */
  tell(to: string, message: ToTab): void;
  end(): void;
}

export function createGroup(name: string, me: string, environment: Found, events: GroupEvents): Group {
  const { setTimeout } = environment;
  const locks = environment.locks as Environment["locks"];
  const channel = new (environment.BroadcastChannel as Environment["BroadcastChannel"])(name);
  const frees: (() => void)[] = [];
  const known = new Set<string>();
  let isLeader = false;
  let isOver = false;
  let hasOthers: boolean;
  let win: () => void;
  const won = new Promise<void>((resolve) => (win = resolve));

  const post = (letter: Letter): void => {
    if (!isOver) channel.postMessage(letter);
  };
  const ask = (message: FromTab): void => post({ from: me, message });

  /** Resolves when the lock is granted, or can't be had now. */
  const request = (lock: string, how: { ifAvailable?: boolean }, run: (lock: unknown) => unknown): Promise<void> =>
    new Promise((resolve) => {
      void locks.request(lock, how, (granted) => {
        resolve();
        return isOver ? undefined : run(granted);
      });
    });

  const keep = (): Promise<void> => new Promise((free) => frees.push(free));

  const grant = (lock: unknown): unknown => {
    if (!lock || isLeader) return undefined;
    isLeader = true;
    win();
    return keep();
  };

  /** Its lock is granted when the tab has gone. */
  const watch = (tab: string): void => {
    known.add(tab);
    void request(name + "\n" + tab, {}, () => {
      known.delete(tab);
      events.asked(tab, { type: "gone" });
    });
  };

  channel.onmessage = ({ data }) => {
    const letter = data as Letter;
    if ("from" in letter) {
      if (!isLeader) return;
      if (!known.has(letter.from)) watch(letter.from);
      events.asked(letter.from, letter.message);
    } else if (!isLeader && (letter.to === ALL || letter.to === me)) {
      if (letter.message.type === "who") ask(events.presence());
      else events.told(letter.message);
    }
  };

  return {
    name,
    ask,
    isLeader: () => isLeader,
    tell: (to, message) => post({ to, message }),
    async lead() {
      await request(name + "\n" + me, {}, keep);
      await request(name, { ifAvailable: true }, grant);
      hasOthers = !isLeader;
      if (isLeader) return;
      ask(events.presence());
      void request(name, {}, grant);
      await won;
    },
    async gather() {
      if (!hasOthers) return;
      post({ to: ALL, message: { type: "who" } });
      await new Promise<void>((resolve) => setTimeout(resolve, GATHER_MS));
      if (isOver) await new Promise(() => {});
    },
    end() {
      if (!isLeader) ask({ type: "gone" });
      isOver = true;
      isLeader = false;
      channel.close();
      for (const free of frees) free();
    },
  };
}
