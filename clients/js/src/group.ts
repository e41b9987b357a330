/**
 * The tabs of one user in one browser, seen from one of them: who leads, who lives, and how they talk. The leader holds a Web Lock; every tab holds one of its own, by
 * which the others notice its end, also that of a crash.
 */
import type { Found } from "./environment.ts";
import { ALL, type FromTab, type ToTab } from "./hub.ts";
import type { ChannelLike, Environment } from "./types.ts";

/** How long a new leader waits for the others to say what they show. */
const GATHER_MS = 150;
/** How long a tab in view waits for a sign of the leader before it takes its place: some browsers freeze tabs that nobody looks at. */
const STEAL_MS = 3_000;

type Letter = { readonly from: string; readonly message: FromTab } | { readonly to: string; readonly message: ToTab };

export interface GroupEvents {
  /** To the leader. */
  asked(from: string, message: FromTab): void;
  /** To the others. */
  told(message: ToTab): void;
  /** How this tab is, with all that it shows and waits for. */
  presence(): FromTab;
  /** Another tab took the lead. */
  lost(): void;
}

export class Group {
  isLeader = false;
  private isOver = false;
  private win!: () => void;
  private readonly won = new Promise<void>((resolve) => (this.win = resolve));
  private readonly frees: (() => void)[] = [];
  private readonly known = new Set<string>();
  private readonly channel: ChannelLike;
  private readonly locks: Environment["locks"];
  private stealTimer: unknown;

  constructor(
    readonly name: string,
    private readonly me: string,
    private readonly environment: Found,
    private readonly events: GroupEvents,
  ) {
    this.locks = environment.locks as Environment["locks"];
    this.channel = new (environment.BroadcastChannel as Environment["BroadcastChannel"])(name);
    this.channel.onmessage = ({ data }) => this.hear(data as Letter);
  }

  /** Resolves when this tab leads, knowing what the others show; never, if it ends before. */
  async lead(): Promise<void> {
    await this.request(this.lockOf(this.me), {}, () => this.keep());
    await this.request(this.name, { ifAvailable: true }, (lock) => this.grant(lock));
    const others = !this.isLeader;
    if (others) {
      this.ask(this.events.presence());
      void this.request(this.name, {}, (lock) => this.grant(lock));
    }
    await this.won;
    if (!others) return;
    this.tell(ALL, { type: "who" });
    await new Promise<void>((resolve) => this.environment.setTimeout(resolve, GATHER_MS));
    if (this.isOver) await new Promise(() => {});
  }

  /** Says something to the leader. */
  ask(message: FromTab): void {
    this.post({ from: this.me, message });
  }

  /** Says something as the leader. */
  tell(to: string, message: ToTab): void {
    this.post({ to, message });
  }

  /** The person looks at this tab: a leader that says nothing now is frozen. */
  look(): void {
    const { environment } = this;
    environment.clearTimeout(this.stealTimer as never);
    this.stealTimer = environment.setTimeout(() => {
      if (!this.isLeader && !this.isOver) void this.request(this.name, { steal: true }, (lock) => this.grant(lock));
    }, STEAL_MS);
  }

  end(): void {
    if (!this.isLeader) this.ask({ type: "gone" });
    this.isOver = true;
    this.isLeader = false;
    this.environment.clearTimeout(this.stealTimer as never);
    this.channel.close();
    for (const free of this.frees) free();
  }

  private lockOf(tab: string): string {
    return `${this.name}\n${tab}`;
  }

  /** Resolves when the lock is granted, or can't be had now. */
  private request(name: string, how: { ifAvailable?: boolean; steal?: boolean }, run: (lock: unknown) => unknown): Promise<void> {
    return new Promise((resolve) => {
      const granted = (lock: unknown): unknown => {
        resolve();
        return this.isOver ? undefined : run(lock);
      };
      this.locks.request(name, how, granted).catch(() => {
        if (this.isLeader) this.events.lost();
      });
    });
  }

  private grant(lock: unknown): unknown {
    if (!lock || this.isLeader) return undefined;
    this.isLeader = true;
    this.win();
    return this.keep();
  }

  private keep(): Promise<void> {
    return new Promise((free) => this.frees.push(free));
  }

  private post(letter: Letter): void {
    if (!this.isOver) this.channel.postMessage(letter);
  }

  private hear(letter: Letter): void {
    if ("from" in letter) {
      if (!this.isLeader) return;
      if (!this.known.has(letter.from)) this.watch(letter.from);
      this.events.asked(letter.from, letter.message);
    } else if (!this.isLeader && (letter.to === ALL || letter.to === this.me)) {
      this.environment.clearTimeout(this.stealTimer as never);
      if (letter.message.type === "who") this.ask(this.events.presence());
      else this.events.told(letter.message);
    }
  }

  /** Its lock is granted when the tab has gone. */
  private watch(tab: string): void {
    this.known.add(tab);
    void this.request(this.lockOf(tab), {}, () => {
      this.known.delete(tab);
      if (this.isLeader) this.events.asked(tab, { type: "gone" });
    });
  }
}
