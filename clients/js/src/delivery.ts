/**
 * One delivery, as an app holds it. It says what the person does with it, and changes as the server says.
 */
import { createEmitter } from "./emitter.ts";
import { failure } from "./error.ts";
import type { Word } from "./outbox.ts";
import type { Confirmed, Delivery, DeliveryEvents, WithdrawReason } from "./types.ts";
import { DATA_MAX_BYTES, type OfferMessage, type ProgressMessage, sizeOf } from "./wire.ts";

/** What a delivery needs of the page that shows it. */
export interface Shower {
  /** Rejects only for good. */
  say(word: Word): Promise<Confirmed>;
  /** It is off the screen. */
  left(): void;
}

/** A delivery, and what its page knows and does beside. */
export interface Shown {
  readonly delivery: Delivery;
  /** For another tab; none when it is settled. */
  offer(): OfferMessage | undefined;
  /** The server offers it again, or tells how far another device is. Returns whether that is news. */
  progressed(message: Pick<ProgressMessage, "step" | "data">): boolean;
  /** Returns whether it leaves the screen by that: a survey does, and a banner of which the app has said that it is over. */
  confirmed(confirmed: Confirmed, data: unknown): boolean;
  withdrawn(reason: WithdrawReason): void;
}

type Changing = { -readonly [Name in keyof Delivery]: Delivery[Name] };

/** Who does not look at the promise does not have to catch it: what went wrong is an `error` event, too. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

export function createDelivery(message: OfferMessage, shower: Shower): Shown {
  const { type: _type, at: _at, settle_on: settleOn, expires_in_ms: expiresInMs, step: nextStep, ...same } = message;
  const { id, window, steps } = same;
  const abort = new AbortController();
  const { on, emit } = createEmitter<DeliveryEvents>();
  /** The server's last word, once it is settled. */
  let last: Confirmed | undefined;
  let isDone = false;

  const tell = async (step: number | undefined, data: unknown): Promise<Confirmed> => {
    if (last) return last;
    // One that is refused must not take the place of one that is not, nor may one be kept for ever that fits into no frame.
    if (step !== undefined && !(step >= 0 && step <= steps)) throw failure("step_out_of_range");
    if (sizeOf(JSON.stringify([data])) > DATA_MAX_BYTES + 2) throw failure("too_large");
    const confirmed = await shower.say({ id, window, step, data });
    delivery.state = confirmed.state;
    return confirmed;
  };

  const say = (step: number | undefined, data?: unknown): Promise<Confirmed> => quiet(tell(step, data));

  const leaving = (step: number | undefined, data?: unknown): Promise<Confirmed> => {
    isDone = true;
    if (last || step === undefined) shower.left();
    return say(step, data);
  };

  const delivery: Changing = {
    ...same,
    settleOn,
    expiresInMs,
    nextStep,
    resumed: nextStep > 1 || same.data !== null,
    state: "offered",
    signal: abort.signal,
    on,
    shown: () => say(0),
    step: (step, data) => (step === steps ? leaving : say)(step, data),
    complete: (data) => leaving(steps, data),
    dismiss: () => leaving(undefined),
    claim: () => quiet(say(0).then((confirmed) => ({ ...confirmed, show: !abort.signal.aborted && (confirmed.yours || !confirmed.settled) }))),
    close: shower.left,
  };

  return {
    delivery,
    offer: () => (last ? undefined : { ...message, offer: delivery.offer, step: delivery.nextStep, data: delivery.data }),
    progressed({ step, data }) {
      if (step < delivery.nextStep - 1) return false;
      delivery.nextStep = step + 1;
      delivery.data = data;
      emit("progress", undefined);
      return true;
    },
    confirmed(confirmed, data) {
      delivery.state = confirmed.state;
      delivery.nextStep = Math.max(delivery.nextStep, confirmed.step + 1);
      delivery.data = data ?? delivery.data;
      if (confirmed.settled) last = confirmed;
      emit("confirm", confirmed);
      return confirmed.settled && (isDone || settleOn === "completed");
    },
    withdrawn(reason) {
      abort.abort(reason);
      if (reason === "expired") emit("expire", undefined);
      emit("withdraw", reason);
    },
  };
}
