// A bare client of the protocol, on a WebSocket or on a stream, that has every message judged. It decides nothing and answers nothing by itself.

import { until } from "./wait.mjs";

/** So many messages are shown when one doesn't come. */
const SHOWN = 5;

/** What both kinds of connection share: what was heard and not yet asked for. */
class Talk {
  #waiting = [];
  #protocol;
  /** Set when the connection is over: `{code}` (a WebSocket's), or `{}`. */
  end = null;
  #failure = null;

  constructor(protocol) {
    this.#protocol = protocol;
  }

  /** The next message that is of this type and fits; others that came before it stay. */
  async hear(type, fits = () => true) {
    const isIt = (message) => message.type === type && fits(message);
    await until(
      () => `a ${type} comes: ${this.#told()}`,
      () => {
        if (this.#failure) throw this.#failure;
        return this.#waiting.some(isIt);
      },
    );
    return this.#waiting.splice(this.#waiting.findIndex(isIt), 1)[0];
  }

  /** Waits for the end of the connection. */
  async ended() {
    return until(() => `the connection ends; ${this.#told()}`, () => {
      if (this.#failure) throw this.#failure;
      return this.end;
    });
  }

  took(text) {
    try {
      this.#waiting.push(...this.#protocol.judge("server", JSON.parse(text)));
    } catch (error) {
      this.#failure ??= error;
    }
  }

  #told() {
    const last = this.#waiting.slice(-SHOWN).map((message) => JSON.stringify(message));
    return `of ${this.#waiting.length} others the last are ${last.join(" ")}; end ${JSON.stringify(this.end)}`;
  }

  judged(messages) {
    return messages.map((message) => this.#protocol.judge("client", message)[0]);
  }
}

/** A WebSocket. */
export class SocketTalk extends Talk {
  #socket;

  /** Connects, without a hello. */
  static async connect(node, protocol) {
    const talk = new SocketTalk(protocol);
    const socket = new WebSocket(`${node.url.replace("http", "ws")}/v1/connect`, "engage.v1.json");
    talk.#socket = socket;
    socket.addEventListener("message", (event) => talk.took(event.data));
    socket.addEventListener("close", (event) => (talk.end = { code: event.code }));
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve, { once: true });
      socket.addEventListener("error", () => reject(new Error("the WebSocket failed")), { once: true });
    });
    return talk;
  }

  /** Says messages as one frame. */
  say(...messages) {
    this.shout(JSON.stringify(messages.length === 1 ? this.judged(messages)[0] : this.judged(messages)));
  }

  /** Says something that no client should. */
  shout(text) {
    this.#socket.send(text);
  }

  close() {
    this.#socket.close();
  }
}

/** A stream, and posts beside it. */
export class StreamTalk extends Talk {
  #abort = new AbortController();

  /** Opens it with a hello. */
  static async open(node, protocol, hello) {
    const talk = new StreamTalk(protocol);
    const [body] = talk.judged([hello]);
    const answer = await fetch(`${node.url}/v1/stream`, { method: "POST", body: JSON.stringify(body), signal: talk.#abort.signal });
    if (answer.status !== 200) throw new Error(`the stream was answered ${answer.status}: ${await answer.text()}`);
    talk.#read(answer.body).catch(() => {}).finally(() => (talk.end ??= {}));
    return talk;
  }

  async #read(body) {
    let text = "";
    for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
        if (data.length > 0) this.took(data.join("\n"));
      }
    }
  }

  close() {
    this.#abort.abort();
  }
}

/** Posts messages, and gives the judged answers back. */
export async function post(node, protocol, body) {
  protocol.judgeAs("Post", body);
  for (const message of body.messages) protocol.judge("client", message);
  const answer = await fetch(`${node.url}/v1/messages`, { method: "POST", body: JSON.stringify(body) });
  if (answer.status !== 200) throw new Error(`the post was answered ${answer.status}: ${await answer.text()}`);
  const answers = protocol.judgeAs("Answers", await answer.json());
  for (const message of answers) protocol.judge("server", message);
  return answers;
}
