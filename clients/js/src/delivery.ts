/**
 * One delivery, as an app holds it. It says what the person does with it, and changes as the server says.
 */
import { Emitter } from "./emitter.ts";
import { failure } from "./error.ts";
import type { Word } from "./outbox.ts";
import type { Claim, Confirmed, Delivery, DeliveryEvents, DeliveryState, WithdrawReason } from "./types.ts";
import { DATA_MAX_BYTES, type OfferMessage, type ProgressMessage, sizeOf } from "./wire.ts";

/** What a delivery needs of the tab that shows it. */
export interface Shower {
  /** Rejects only for good. */
  say(word: Word): Promise<Confirmed>;
  /** It is off the screen, or changed. */
  left(delivery: Shown): void;
  changed(): void;
}

export class Shown implements Delivery {
  readonly id: string;
  readonly window: string;
  readonly scope: "user" | "device";
  readonly steps: number;
  readonly settleOn: "shown" | "completed";
  readonly payload: unknown;
  readonly priority: number;
  readonly resumed: boolean;
  readonly expiresInMs: number;
  readonly signal: AbortSignal;
  offer: number;
  nextStep: number;
  data: unknown;
  state: DeliveryState = "offered";
  /** The app has said all there is to say: with the confirm it leaves the screen. */
  isDone = false;
  /** The server's last word, once it is settled. */
  private last?: Confirmed;
  private unanswered = 0;
  private readonly abort = new AbortController();
  private readonly emitter = new Emitter<DeliveryEvents>();

  constructor(
    /** As it came; with the progress since, it is what another tab goes on with. */
    private message: OfferMessage,
    private readonly shower: Shower,
  ) {
    this.id = message.id;
    this.window = message.window;
    this.scope = message.scope;
    this.steps = message.steps;
    this.settleOn = message.settle_on;
    this.payload = message.payload;
    this.priority = message.priority;
    this.expiresInMs = message.expires_in_ms;
    this.resumed = message.step > 1 || message.data !== null;
    this.offer = message.offer;
    this.nextStep = message.step;
    this.data = message.data;
    this.signal = this.abort.signal;
  }

  /** Settled. */
  get isOver(): boolean {
    return !!this.last;
  }

  get pending(): boolean {
    return this.unanswered > 0;
  }

  shown(): Promise<Confirmed> {
    return this.say({ step: 0 });
  }

  step(step: number, data?: unknown): Promise<Confirmed> {
    return this.say({ step, data });
  }

  complete(data?: unknown): Promise<Confirmed> {
    return this.say({ step: this.steps, data });
  }

  dismiss(): Promise<Confirmed> {
    const answer = this.say({});
    this.close();
    return answer;
  }

  claim(): Promise<Claim> {
    return quiet(this.shown().then((confirmed) => ({ ...confirmed, show: !this.signal.aborted && (confirmed.yours || !confirmed.settled) })));
  }

  close(): void {
    this.shower.left(this);
  }

  on<Name extends keyof DeliveryEvents>(name: Name, listener: (event: DeliveryEvents[Name]) => void): () => void {
    return this.emitter.on(name, listener);
  }

  /** For another tab. */
  asOffer(): OfferMessage {
    return { ...this.message, offer: this.offer, step: this.nextStep, data: this.data };
  }

  /** The server offers it again, or tells how far another device is. Returns whether that is news. */
  progressed({ step, data }: ProgressMessage): boolean {
    if (step < this.nextStep - 1 || (step === this.nextStep - 1 && JSON.stringify(data) === JSON.stringify(this.data))) return false;
    this.nextStep = step + 1;
    this.data = data;
    this.emitter.emit("progress", undefined);
    return true;
  }

  confirmed(confirmed: Confirmed, data: unknown): void {
    this.state = confirmed.state;
    this.nextStep = Math.max(this.nextStep, confirmed.step + 1);
    if (data !== undefined) this.data = data;
    if (confirmed.settled) this.last = confirmed;
    this.emitter.emit("confirm", confirmed);
  }

  withdrawn(reason: WithdrawReason): void {
    if (reason === "expired" || reason === "withdrawn") this.state = reason;
    this.abort.abort(reason);
    if (reason === "expired") this.emitter.emit("expire", undefined);
    this.emitter.emit("withdraw", reason);
  }

  private say({ step, data }: Omit<Word, "id" | "window">): Promise<Confirmed> {
    const { id, window, steps, last } = this;
    if (last) {
      if (step !== 0) this.close();
      return Promise.resolve(last);
    }
    if (step !== undefined && !(Number.isInteger(step) && step >= 0 && step <= steps)) {
      return quiet(Promise.reject(failure("step_out_of_range", `${id} has steps from 0 to ${steps}, not ${step}`)));
    }
    if (data !== undefined && sizeOf(JSON.stringify(data) ?? "") > DATA_MAX_BYTES) {
      return quiet(Promise.reject(failure("too_large", `data has at most ${DATA_MAX_BYTES} bytes`)));
    }
    this.isDone ||= step === steps;
    this.unanswered++;
    const done = (): void => {
      this.unanswered--;
      this.shower.changed();
    };
    const answer = this.shower.say({ id, window, step, data });
    answer.then(done, done);
    return quiet(answer);
  }
}

/** Who does not look at the promise, does not have to catch it: it is an `error` event, too. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
