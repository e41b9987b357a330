// Judges the first guarantee (G1) by what both devices' wires carried: once a confirm that settles a delivery was sent to anyone, no connection whose hello comes later is offered it, and on
// connections already open no offer of it carries a later `at` than the confirm's. Knows nothing of the page; what it is told is all that it knows.

const SETTLED = new Set(["completed", "dismissed", "expired", "withdrawn", "dropped"]);

/** Whether a state is final. */
export function isSettled(state) {
  return SETTLED.has(state);
}

/** A judge of messages. Tell it all of them: also those that were lost on the wire, for they were sent. */
export class Judge {
  /** Key of a delivery → the first confirm that settled it: its `at` (ledger time), and when it was seen here. */
  #settled = new Map();
  /** Device → when the hello of its connection was sent. */
  #hellos = new Map();
  /** Key → scope: a delivery for each device has the device in its key. */
  #scopes = new Map();

  offers = 0;
  confirms = 0;
  /** Offers that should not have been: `{device, id, why}`. */
  broken = [];

  /** One message of a device's wire. `at`: when, in ms of one clock for both devices. */
  hear({ device, direction, message, at }) {
    if (direction === "out") {
      if (message.type === "hello") this.#hellos.set(device, at);
      return;
    }
    if (message.type === "welcome") for (const answer of message.acks ?? []) this.#answer(device, answer, at);
    else if (message.type === "offer") this.#offer(device, message);
    else this.#answer(device, message, at);
  }

  #answer(device, message, at) {
    if (message.type !== "confirm") return;
    this.confirms += 1;
    const key = this.#key(device, message);
    if (SETTLED.has(message.state) && !this.#settled.has(key)) this.#settled.set(key, { ledgerAt: message.at, at });
  }

  #offer(device, message) {
    this.offers += 1;
    this.#scopes.set(`${message.window}/${message.id}`, message.scope);
    const settled = this.#settled.get(this.#key(device, message));
    if (!settled) return;
    const helloAt = this.#hellos.get(device) ?? 0;
    if (helloAt > settled.at) this.broken.push({ device, id: message.id, why: "on a connection that said hello after the confirm" });
    else if (message.at > settled.ledgerAt) this.broken.push({ device, id: message.id, why: "at a later time than the confirm's" });
  }

  #key(device, { id, window }) {
    const key = `${window}/${id}`;
    return this.#scopes.get(key) === "device" ? `${device}/${key}` : key;
  }
}
