/**
 * What this device holds, and which of its tabs shows it. Decides only; the {@link Device} tells.
 */
import type { Outbox } from "./outbox.ts";
import { type ConfirmMessage, isSettled, type Key, KEYS_MAX, keyOf, type OfferMessage, type ProgressMessage } from "./wire.ts";

interface Held {
  /** As offered, with the progress confirmed since. */
  offer: OfferMessage;
  /** The tab that shows it; none while it is not to be shown. */
  tab?: string;
}

export interface Tab {
  visible: boolean;
  since: number;
}

/** A delivery that goes to a tab, perhaps from another one. */
export interface Move {
  readonly offer: OfferMessage;
  readonly from: string | undefined;
  readonly to: string;
}

export class Screen {
  readonly tabs = new Map<string, Tab>();
  private readonly held = new Map<string, Held>();
  /** The keys that were settled last. What may still come for them was under way. */
  private readonly settled = new Set<string>();

  constructor(private readonly outbox: () => Outbox) {}

  /** What a hello says is on the screen. */
  open(): Key[] {
    return [...this.held.values()].map(({ offer: { id, window } }) => ({ id, window })).slice(0, KEYS_MAX);
  }

  get isVisible(): boolean {
    return [...this.tabs.values()].some(({ visible }) => visible);
  }

  /** The visible tab that became visible last; where none is visible, the one that was last. */
  get active(): string | undefined {
    const rank = ([, { visible, since }]: [string, Tab]): number => since + (visible ? 1e15 : 0);
    return [...this.tabs].sort((one, other) => rank(other) - rank(one))[0]?.[0];
  }

  /** The server hands out a delivery, or a tab says that it shows one. Returns the tab that has it already. */
  hold(offer: OfferMessage, tab?: string): string | undefined {
    const key = keyOf(offer);
    if (this.settled.has(key)) return undefined;
    const has = this.held.get(key)?.tab;
    this.held.set(key, { offer, tab: has ?? tab });
    return has;
  }

  progress({ step, data, ...key }: ProgressMessage): void {
    const held = this.held.get(keyOf(key));
    if (held && step >= held.offer.step - 1) held.offer = { ...held.offer, step: step + 1, data };
  }

  confirmed(confirm: ConfirmMessage, data: unknown, isDismissed: boolean): void {
    const key = keyOf(confirm);
    if (isSettled(confirm.state)) {
      this.held.delete(key);
      this.settled.add(key);
      if (this.settled.size > 2 * KEYS_MAX) this.settled.delete(this.settled.values().next().value as string);
    } else if (isDismissed) {
      // Snoozed: it will be offered again.
      this.held.delete(key);
    } else {
      this.progress({ ...confirm, type: "progress", data: data === undefined ? this.held.get(key)?.offer.data : data });
    }
  }

  /** Whether it was there. */
  release(key: Key): boolean {
    return this.held.delete(keyOf(key));
  }

  /** All that is held, given up. */
  clear(): OfferMessage[] {
    const offers = [...this.held.values()].map(({ offer }) => offer);
    this.held.clear();
    this.settled.clear();
    return offers;
  }

  /** What has no tab, or one that is hidden while another is visible, gets the active one. */
  place(): Move[] {
    const { active, tabs } = this;
    const moves: Move[] = [];
    for (const held of active === undefined ? [] : this.held.values()) {
      const tab = tabs.get(held.tab as string);
      if (tab && (held.tab === active || tab.visible || !this.isVisible)) continue;
      const offer = this.ahead(held.offer);
      if (!offer) continue;
      moves.push({ offer, from: tab && held.tab, to: active as string });
      held.tab = active;
    }
    return moves;
  }

  /** An offer with what the outbox knows beyond the server; none, if the person is done with it. */
  private ahead(offer: OfferMessage): OfferMessage | undefined {
    const ack = this.outbox().ack(offer);
    if (this.outbox().dismissal(offer)) return undefined;
    const step = ack?.step;
    if (ack === undefined || step === undefined) return offer;
    if (offer.settle_on === "shown" || step >= offer.steps) return undefined;
    return step < offer.step - 1 ? offer : { ...offer, step: step + 1, data: ack.data === undefined ? offer.data : ack.data };
  }
}
