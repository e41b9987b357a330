/**
 * What the fake server knows of one user: deliveries, devices, who holds what. It decides as CONTRACT §4 and §5 say, as far as a client can tell; it has no windows that
 * close, no replicas and no clock but a counter.
 */
import type { DeliveryState } from "../types.ts";
import { type ConfirmMessage, type ErrorMessage, isSettled, type Key, keyOf, type OfferMessage, type ServerMessage } from "../wire.ts";

/** What a publisher says; as in the HTTP API. */
export interface Engagement {
  readonly id: string;
  readonly payload?: unknown;
  readonly steps?: number;
  readonly settle_on?: "shown" | "completed";
  readonly scope?: "user" | "device";
  readonly targets?: "active" | "all";
  readonly priority?: number;
  /** A dismissal only puts it off, until {@link FakeLedger.wake}. */
  readonly snooze?: string;
}

/** A connection that has said hello. */
export interface Attached {
  readonly device: string;
  visible: boolean;
  /** Grows: when it became visible. */
  order: number;
  readonly maxInFlight: number;
  send(message: ServerMessage): void;
  /** Replaced by a later connection of the same device. */
  replace(): void;
}

/** One delivery, as it stands. */
export interface Stored extends Key {
  readonly engagement: Engagement;
  readonly steps: number;
  readonly settleOn: "shown" | "completed";
  /** Of a delivery for one device. */
  readonly device?: string;
  state: DeliveryState;
  step: number;
  data: unknown;
  offers: number;
  snoozed: boolean;
  settledBy?: string;
  readonly holders: Set<string>;
}

export class FakeLedger {
  readonly deliveries: Stored[] = [];
  readonly attached = new Map<string, Attached>();
  private readonly spread: Engagement[] = [];

  constructor(
    readonly window: string,
    /** Ledger time. */
    private readonly tick: () => number,
  ) {}

  publish(engagement: Engagement): "queued" | "duplicate" {
    const isKnown = [...this.spread, ...this.deliveries.map((one) => one.engagement)].some(({ id }) => id === engagement.id);
    if (isKnown) return "duplicate";
    if (engagement.scope === "device") {
      this.spread.push(engagement);
      for (const device of this.attached.keys()) this.add(engagement, device);
    } else this.add(engagement);
    this.fill();
    return "queued";
  }

  attach(device: Attached, open: readonly Key[]): void {
    this.attached.get(device.device)?.replace();
    this.attached.set(device.device, device);
    for (const engagement of this.spread) if (!this.deliveries.some((one) => one.engagement === engagement && one.device === device.device)) this.add(engagement, device.device);
    for (const one of this.deliveries) if (!open.some((key) => keyOf(key) === keyOf(one))) one.holders.delete(device.device);
    for (const key of open) this.reopen(device, key);
    this.fill();
    device.send({ type: "caught_up" });
  }

  /** `closed`: what it held is free at once; a connection that was lost keeps it. */
  detach(device: Attached, closed: boolean): void {
    if (this.attached.get(device.device) !== device) return;
    this.attached.delete(device.device);
    if (closed) this.release(device.device);
  }

  /** Its lease has run out. */
  release(device: string): void {
    for (const one of this.deliveries) one.holders.delete(device);
    this.fill();
  }

  /** Records an ack, or without a step a dismissal. */
  ack(device: string, key: Key, step: number | undefined, data: unknown): ConfirmMessage | ErrorMessage {
    const one = this.find(key, device);
    const refuse = (code: string): ErrorMessage => ({ type: "error", code, message: code.replace("_", " "), retry: false, ...key });
    if (!one) return refuse("unknown_delivery");
    if (step !== undefined && !(step >= 0 && step <= one.steps)) return refuse("step_out_of_range");
    if (!isSettled(one.state)) {
      if (step === undefined) this.dismiss(one, device);
      else this.advance(one, device, step, data);
    }
    const { id, window, steps, state } = one;
    const confirm: ConfirmMessage = { type: "confirm", id, window, step: one.step, steps, state, yours: one.settledBy === device, at: this.tick() };
    this.fill();
    return confirm;
  }

  /** The publisher, or time, takes it back. */
  end(id: string, state: "withdrawn" | "expired"): void {
    for (const one of this.deliveries) if (one.id === id && !isSettled(one.state)) this.settle(one, state, undefined, state);
    this.fill();
  }

  /** Snoozed deliveries may be offered again. */
  wake(): void {
    for (const one of this.deliveries) one.snoozed = false;
    this.fill();
  }

  /** Offers what can be offered, moves what should move. */
  fill(): void {
    const byPriority = [...this.deliveries].sort((one, other) => (other.engagement.priority ?? 0) - (one.engagement.priority ?? 0));
    for (const one of byPriority) if (!isSettled(one.state) && !one.snoozed) for (const device of this.targets(one)) this.offer(one, device);
  }

  private add(engagement: Engagement, device?: string): void {
    const { id, steps = 1, settle_on = steps === 1 ? "shown" : "completed" } = engagement;
    this.deliveries.push({
      id,
      window: this.window,
      engagement,
      device,
      steps,
      settleOn: settle_on,
      state: "queued",
      step: 0,
      data: null,
      offers: 0,
      snoozed: false,
      holders: new Set(),
    });
  }

  private find(key: Key, device: string): Stored | undefined {
    return this.deliveries.find((one) => keyOf(one) === keyOf(key) && (one.device ?? device) === device);
  }

  private reopen(device: Attached, key: Key): void {
    const one = this.find(key, device.device);
    const others = one && [...one.holders].some((holder) => holder !== device.device);
    const isElsewhere = others && one.engagement.targets !== "all";
    if (one && !isSettled(one.state) && !isElsewhere && !one.snoozed) {
      one.holders.add(device.device);
      // Others may have gone on with it.
      if (one.step > 0 && one.engagement.targets === "all") device.send({ type: "progress", id: one.id, window: one.window, step: one.step, data: one.data });
      return;
    }
    const reason = !one || one.state === "expired" ? "expired" : one.state === "withdrawn" ? "withdrawn" : isSettled(one.state) ? "done_elsewhere" : "moved";
    device.send({ type: "withdraw", id: key.id, window: key.window, reason });
  }

  /** Who should be offered it now. A visible holder keeps it, and so does one that may come back. */
  private targets(one: Stored): Attached[] {
    const all = [...this.attached.values()];
    if (one.device !== undefined) return all.filter(({ device }) => device === one.device);
    if (one.engagement.targets === "all") return all;
    const active = all.filter(({ visible }) => visible).sort((a, b) => b.order - a.order)[0];
    if (!active) return [];
    for (const device of one.holders) {
      const holder = this.attached.get(device);
      if (!holder || holder.visible) return [];
      holder.send({ type: "withdraw", id: one.id, window: one.window, reason: "moved" });
      one.holders.delete(device);
    }
    return [active];
  }

  private offer(one: Stored, to: Attached): void {
    const held = this.deliveries.filter(({ state, holders }) => !isSettled(state) && holders.has(to.device)).length;
    if (one.holders.has(to.device) || held >= to.maxInFlight) return;
    one.holders.add(to.device);
    if (one.state === "queued") one.state = "offered";
    const { id, window, engagement, step, steps, settleOn, data } = one;
    const offer: OfferMessage = {
      type: "offer",
      id,
      window,
      scope: engagement.scope ?? "user",
      offer: ++one.offers,
      step: step + 1,
      steps,
      settle_on: settleOn,
      data,
      payload: engagement.payload ?? null,
      priority: engagement.priority ?? 0,
      expires_in_ms: 86_400_000,
      at: this.tick(),
    };
    to.send(offer);
  }

  private advance(one: Stored, device: string, step: number, data: unknown): void {
    if (step < one.step) return;
    const isNews = step > one.step || data !== undefined;
    one.step = step;
    if (data !== undefined) one.data = data;
    one.state = step > 0 || one.state === "in_progress" ? "in_progress" : "shown";
    if (step === one.steps || one.settleOn === "shown") {
      one.step = one.steps;
      return this.settle(one, "completed", device, "done_elsewhere");
    }
    if (isNews) this.others(one, device, { type: "progress", id: one.id, window: one.window, step: one.step, data: one.data });
  }

  private dismiss(one: Stored, device: string): void {
    if (!one.engagement.snooze) return this.settle(one, "dismissed", device, "done_elsewhere");
    one.snoozed = true;
    this.others(one, device, { type: "withdraw", id: one.id, window: one.window, reason: "moved" });
    one.holders.clear();
  }

  private settle(one: Stored, state: DeliveryState, by: string | undefined, reason: "withdrawn" | "expired" | "done_elsewhere"): void {
    one.state = state;
    one.settledBy = by;
    this.others(one, by, { type: "withdraw", id: one.id, window: one.window, reason });
    one.holders.clear();
  }

  private others(one: Stored, but: string | undefined, message: ServerMessage): void {
    for (const device of one.holders) if (device !== but) this.attached.get(device)?.send(message);
  }
}
