// People who are there: devices on streams that ack what they are offered, so that something goes on in a cluster. They judge nothing.

import { token } from "./tokens.mjs";

/** One device of a user, connected to a node until it is closed. */
export class Member {
  #abort = new AbortController();
  /** Ids of what it was offered. */
  offered = [];
  /** Set when its connection is over. */
  isOver = false;

  /** Connects; acks every offer to its end, unless `acks` is false. */
  static async join(node, user, { device = "crowd", acks = true } = {}) {
    const member = new Member();
    const hello = { type: "hello", token: token(user), device };
    const answer = await fetch(`${node.url}/v1/stream`, { method: "POST", body: JSON.stringify(hello), signal: member.#abort.signal });
    if (answer.status !== 200) throw new Error(`the stream was answered ${answer.status}: ${await answer.text()}`);
    const settle = (offer) =>
      acks &&
      fetch(`${node.url}/v1/messages`, {
        method: "POST",
        body: JSON.stringify({ token: token(user), device, messages: [{ type: "ack", id: offer.id, window: offer.window, step: offer.steps }] }),
      }).catch(() => {});
    member
      .#read(answer.body, settle)
      .catch(() => {})
      .finally(() => (member.isOver = true));
    return member;
  }

  close() {
    this.#abort.abort();
  }

  async #read(body, settle) {
    let text = "";
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      const events = (text + chunk).split("\n\n");
      text = events.pop();
      for (const data of events.flatMap((event) => event.split("\n")).filter((line) => line.startsWith("data:"))) {
        for (const message of [JSON.parse(data.slice(5))].flat().filter(({ type }) => type === "offer")) {
          this.offered.push(message.id);
          settle(message);
        }
      }
    }
  }
}
