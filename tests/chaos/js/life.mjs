// One life of the JS client: from its start to a close, or to an end without a word, as of a killed tab. Notes what went over the wire, and what the person was shown.
//
// Offers are noted as the person is shown them, and a hello with all that the person has said and heard no confirm of: what the client is there for is to say that again,
// and to show nothing in between. Whether it does, the checker finds out.

import { Socket } from "./socket.mjs";

const never = () => new Promise(() => {});

export class Life {
  /** Nothing goes out any more, and nobody is told: a line that died one way. */
  isMute = false;
  /** The person is done with it. */
  isOver = false;
  #isDead = false;
  #person;
  #history;
  #nodeAt;
  /** The connection that said hello last, while it lasts. */
  #session = null;
  /** What was offered on the wire, by key. */
  #offers = new Map();
  #sockets = new Set();
  #killed = new AbortController();

  constructor(connect, person, { history, nodeAt, options }) {
    [this.#person, this.#history, this.#nodeAt] = [person, history, nodeAt];
    this.engage = connect({ ...options, tabs: false, storage: person.store, environment: this.#environment() });
    this.engage.on("message", ({ direction, message }) => (direction === "out" ? this.#out(message) : this.#in(message)));
    this.engage.on("offer", (delivery) => this.#offered(delivery));
  }

  /** Ends it as the app would. */
  async close() {
    this.isOver = true;
    await this.engage.close();
    this.#isDead = true;
  }

  /** Ends it as the system would. */
  kill() {
    this.#ends("lost");
    this.isOver = this.#isDead = true;
    for (const socket of this.#sockets) socket.destroy();
    this.#killed.abort();
  }

  #environment() {
    const life = this;
    class Line extends Socket {
      constructor(url, protocols) {
        super(url, protocols);
        life.#sockets.add(this);
      }

      // Who has closed it listens no more, and has said so.
      closed(code) {
        life.#sockets.delete(this);
        if (life.#isDead) return;
        if (this.onclose) life.#ended(code === 1006 ? null : code);
        super.closed(code);
      }

      send(text) {
        if (!life.isMute) super.send(text);
      }

      close(code) {
        if (life.#isDead) return;
        life.#ends("closed");
        super.close(code);
      }
    }
    return {
      WebSocket: Line,
      fetch: (url, init) => this.#fetch(url, init),
      random: () => this.#person.random(),
      setTimeout: (run, ms) => setTimeout(() => this.#isDead || run(), ms),
      clearTimeout,
    };
  }

  /** Like `fetch`, but that the end of a stream is noted, and that the dead hear nothing. */
  async #fetch(url, init) {
    if (this.#isDead || this.isMute) return never();
    const isStream = url.endsWith("/v1/stream");
    if (isStream) init.signal.addEventListener("abort", () => this.#isDead || this.#ends("lost"));
    const signal = AbortSignal.any([init.signal, this.#killed.signal]);
    const alive = async (promise) => {
      const answer = await promise.catch((error) => (this.#isDead ? never() : (isStream && this.#ended(null), Promise.reject(error))));
      return this.#isDead ? never() : answer;
    };
    const answer = await alive(fetch(url, { ...init, signal }));
    const read = async (reader) => {
      const piece = await alive(reader.read());
      if (piece.done && isStream) this.#ended(null);
      return piece;
    };
    const getReader = () => ((reader) => ({ read: () => read(reader) }))(answer.body.getReader());
    return { ok: answer.ok, status: answer.status, body: answer.body && { getReader }, json: () => alive(answer.json()) };
  }

  #out(message) {
    const session = this.#session;
    if (message.type === "hello") return this.#hello(message);
    if (session === null) return;
    if (message.type === "ack") this.#note("ack", { session, key: this.#key(message), step: message.step, data: message.data ?? null, reference: message.ref });
    if (message.type === "dismiss") this.#note("ack", { session, key: this.#key(message), step: null, data: null, reference: message.ref });
    if (message.type === "visible") this.#note("visible", { session, visible: message.visible });
  }

  #hello({ device, visible, max_in_flight, open, acks }) {
    // What it was on, it has given up.
    this.#ends("lost");
    const session = (this.#session = this.#history.nextSession());
    const node = this.#nodeAt(this.engage.state.url);
    this.#note("hello", { session, user: this.#person.user, device, node, visible, max_in_flight, open: open.map((key) => this.#key(key)), transport: this.engage.state.transport });
    const said = new Map(this.#person.said);
    for (const { step, data, ...key } of acks) {
      said.delete(nameOf(key));
      this.#note("ack", { session, key: this.#key(key), step, data: data ?? null, reference: null });
    }
    for (const { step, data, key } of said.values()) this.#note("ack", { session, key, step, data, reference: null });
  }

  #in(message) {
    const session = this.#session;
    if (session === null) return;
    const key = message.id === undefined ? undefined : this.#key(message);
    switch (message.type) {
      case "welcome":
        this.#note("welcome", { session, window: message.window });
        return message.acks.forEach((answer) => this.#answered(session, { ...answer, ref: undefined }));
      case "caught_up":
        return this.#note("caught_up", { session });
      case "window":
        return this.#note("window", { session, window: message.window });
      case "offer":
        return this.#offers.set(nameOf(message), message);
      case "withdraw":
        return this.#note("withdraw", { session, key, reason: message.reason, at: message.at });
      case "confirm":
      case "error":
        return this.#answered(session, message);
    }
  }

  #answered(session, message) {
    const { type, step, state, yours, at, code, retry, ref } = message;
    if (type === "confirm") {
      const key = this.#key(message);
      this.#note("confirm", { session, key, step, state, yours, at, reference: ref ?? null });
      this.#person.heard(nameOf(message), { step, state });
    } else {
      this.#note("error", { session, code, retry, reference: ref ?? null });
      if (!retry && message.id !== undefined) this.#person.said.delete(nameOf(message));
    }
  }

  /** The person sees it. */
  #offered(delivery) {
    const { offer, step, at, data, payload } = this.#offers.get(nameOf(delivery));
    this.#note("offer", { session: this.#session, key: this.#key(delivery), offer, step, at, data, payload });
  }

  #ends(leave) {
    if (this.#session !== null && !this.#isDead) this.#note("end", { session: this.#session, leave });
    this.#session = null;
  }

  #ended(code) {
    if (this.#session !== null) this.#note("ended", { session: this.#session, code });
    this.#session = null;
  }

  #note(e, fields) {
    if (!this.#isDead) this.#history.note(e, fields);
  }

  #key({ id, window }) {
    return { user: this.#person.user, id, window };
  }
}

/** A name for a key, within one user. */
export const nameOf = ({ id, window }) => `${id}\n${window}`;
