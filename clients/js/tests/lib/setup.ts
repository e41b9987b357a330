/**
 * A client against the server in memory, with time in the test's hands.
 */
import { connect, type Delivery, type Engage, type Environment, type Options } from "@engage/client";
import { FakeServer } from "@engage/client/testing";
import { Clock, dice, until } from "./clock.ts";

export class World {
  readonly clock = new Clock();
  readonly server = new FakeServer({ now: () => this.clock.now });
  readonly random: () => number;
  private readonly clients: Engage[] = [];

  constructor(seed = 1) {
    this.random = dice(seed);
  }

  get environment(): Partial<Environment> {
    return { ...this.clock.environment, ...this.server.environment, random: this.random };
  }

  /** A client of Ann, whose offers are noted. */
  connect(options: Partial<Options> = {}, listens = true): Client {
    const client = connect({
      url: this.server.url,
      getToken: () => this.server.token("ann"),
      device: "phone",
      ...options,
      environment: { ...this.environment, ...options.environment },
    });
    this.clients.push(client);
    return new Client(client, this.clock, listens);
  }

  /** What the server heard of this type. */
  heard(type: string): Record<string, unknown>[] {
    return this.server.received.filter((message) => message.type === type);
  }

  until(what: () => unknown, ms?: number): Promise<void> {
    return until(this.clock, what, ms);
  }

  async end(): Promise<void> {
    const closed = Promise.all(this.clients.map((client) => client.close()));
    await this.clock.pass(2_000);
    await closed;
  }
}

/** A client, and what it told. */
export class Client {
  readonly offers: Delivery[] = [];
  readonly told: string[] = [];

  constructor(
    readonly engage: Engage,
    private readonly clock: Clock,
    listens = true,
  ) {
    if (listens) engage.on("offer", (delivery) => this.offers.push(delivery));
    engage.on("state", (state) => this.told.push(state.name));
    engage.on("withdraw", ({ delivery, reason }) => this.told.push(`withdraw ${delivery.id} ${reason}`));
    engage.on("progress", ({ id, nextStep }) => this.told.push(`progress ${id} ${nextStep}`));
    engage.on("expire", ({ id }) => this.told.push(`expire ${id}`));
    engage.on("notice", ({ id }) => this.told.push(`notice ${id}`));
    engage.on("error", ({ code }) => this.told.push(`error ${code}`));
  }

  get ids(): string[] {
    return this.offers.map(({ id }) => id);
  }

  get isOpen(): boolean {
    return this.engage.state.name === "open";
  }

  async open(): Promise<this> {
    await until(this.clock, () => this.isOpen);
    return this;
  }

  async offered(id: string): Promise<Delivery> {
    await until(this.clock, () => this.ids.includes(id));
    return this.offers.filter((delivery) => delivery.id === id).at(-1) as Delivery;
  }
}

/** What a promise came to, without waiting for it. */
export function outcome<T>(promise: Promise<T>): { value?: T; code?: string; isSettled: boolean } {
  const seen: { value?: T; code?: string; isSettled: boolean } = { isSettled: false };
  promise.then(
    (value) => Object.assign(seen, { value, isSettled: true }),
    (error: { code: string }) => Object.assign(seen, { code: error.code, isSettled: true }),
  );
  return seen;
}
