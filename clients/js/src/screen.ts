/**
 * What this device holds, and which of its tabs shows it. Decides only; the device tells.
 */
import type { Outbox } from "./outbox.ts";
import { type ConfirmMessage, isSettled, type Key, KEYS_MAX, keyOf, type OfferMessage, type ProgressMessage } from "./wire.ts";

interface Held {
  /** As offered, with the progress confirmed since. */
  offer: OfferMessage;
  /** The tab that shows it; none while it is not to be shown. */
  tab?: string;
}

export interface Screen {
  /** Whether each tab can be seen. The one that told last is the last. */
  readonly tabs: Map<string, boolean>;
  /** What a hello says is on the screen. */
  open(): Key[];
  isVisible(): boolean;
  /** The visible tab that became visible last; where none is visible, the one that was last. */
  active(): string | undefined;
  /**
   * The server hands out a delivery, or a tab says that it shows one. Returns the tab that has it already. One that was settled is not handed out any more; a tab that shows
   * it hears so at the next hello.
   */
  hold(offer: OfferMessage, tab?: string): string | undefined;
  progress(message: ProgressMessage): void;
  /** `data`: what the confirmed ack said; `isDismissal`: it was none. */
  confirmed(confirm: ConfirmMessage, data: unknown, isDismissal: boolean): void;
  /** Whether it was there. */
  release(key: Key): boolean;
  /** All that is held, given up. */
  clear(): OfferMessage[];
  /** What has no tab, or one that is hidden while another is visible, gets the active one. */
  place(move: (offer: OfferMessage, to: string, from: string | undefined) => void): void;
}

export function createScreen(outbox: () => Outbox): Screen {
  const tabs = new Map<string, boolean>();
  const held = new Map<string, Held>();
  /** The keys that were settled last. What may still come for them was under way. */
  const settled = new Set<string>();

  const isVisible = (): boolean => [...tabs.values()].includes(true);

  const active = (): string | undefined => {
    const all = [...tabs];
    return (all.filter(([, isVisible]) => isVisible).pop() ?? all.pop())?.[0];
  };

  /** An offer with what the outbox knows beyond the server; none, if the person is done with it. */
  const ahead = (offer: OfferMessage): OfferMessage | undefined => {
    const { step, data = offer.data } = outbox().ack(offer) ?? {};
    if (outbox().dismissal(offer)) return undefined;
    if (step === undefined) return offer;
    if (offer.settle_on === "shown" || step >= offer.steps) return undefined;
    return step < offer.step - 1 ? offer : { ...offer, step: step + 1, data };
  };

  const progress = (message: ProgressMessage): void => {
    const known = held.get(keyOf(message));
    if (known && message.step >= known.offer.step - 1) known.offer = { ...known.offer, step: message.step + 1, data: message.data };
  };

  return {
    tabs,
    isVisible,
    active,
    progress,
    open: () => [...held.values()].slice(0, KEYS_MAX).map(({ offer: { id, window } }) => ({ id, window })),
    hold(offer, tab) {
      const key = keyOf(offer);
      if (!tab && settled.has(key)) return undefined;
      const has = held.get(key)?.tab;
      held.set(key, { offer, tab: has ?? tab });
      return has;
    },
    confirmed(confirm, data, isDismissal) {
      const key = keyOf(confirm);
      const known = held.get(key);
      if (isSettled(confirm.state)) settled.add(key);
      if (settled.size > KEYS_MAX) settled.delete([...settled][0] as string);
      // A dismissal that settles nothing snoozes: it will be offered again.
      if (settled.has(key) || isDismissal) held.delete(key);
      else progress({ ...confirm, type: "progress", data: data ?? known?.offer.data });
    },
    release: (key) => held.delete(keyOf(key)),
    clear() {
      const offers = [...held.values()].map(({ offer }) => offer);
      held.clear();
      settled.clear();
      return offers;
    },
    place(move) {
      const to = active();
      for (const known of held.values()) {
        const from = tabs.has(known.tab as string) ? known.tab : undefined;
        if (!to || (from && (from === to || tabs.get(from) || !isVisible()))) continue;
        const offer = ahead(known.offer);
        if (!offer) continue;
        move(offer, to, from);
        known.tab = to;
      }
    },
  };
}
