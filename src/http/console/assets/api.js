// The node's HTTP API. The key goes into a header, and nowhere else.

/** A node that takes longer does not answer. */
const PATIENCE_MS = 6_000;

/** The node answered, with a problem. */
export class Refused extends Error {
  constructor(status, { code = "unknown", detail = "" } = {}) {
    super(detail || `the node answered ${status}`);
    this.status = status;
    this.code = code;
  }
}

/** Nobody answered. */
export class Unreachable extends Error {}

export class Api {
  #base;
  #key;

  /** `base`: the URL under which `/v1` lies. */
  constructor(base, key) {
    this.#base = base;
    this.#key = key;
  }

  /** The body of a good answer, as JSON, or null where it has none. */
  async call(method, path) {
    const answer = await this.#fetch(path, { method, signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.status === 204) return null;
    return answer.json().catch(() => {
      throw new Unreachable("the answer ended early");
    });
  }

  get(path) {
    return this.call("GET", path);
  }

  /** The events of a stream, one after the other: `{id, event, data}`, until it ends or `signal` ends it. */
  async *events(path, { after, signal }) {
    const headers = { accept: "text/event-stream", ...(after ? { "last-event-id": after } : {}) };
    const answer = await this.#fetch(path, { headers, signal });
    let text = "";
    for await (const chunk of chunks(answer.body.pipeThrough(new TextDecoderStream()))) {
      text += chunk;
      const parts = text.split("\n\n");
      text = parts.pop();
      yield* parts.map(event).filter((it) => it.data !== undefined);
    }
  }

  async #fetch(path, { headers = {}, ...options }) {
    const url = new URL(path, this.#base);
    let answer;
    try {
      const all = { ...headers, authorization: `Bearer ${this.#key}` };
      answer = await fetch(url, { cache: "no-store", credentials: "omit", redirect: "error", ...options, headers: all });
    } catch (error) {
      // Of a key that no header can hold, too: it is no key of ours.
      if (error instanceof TypeError && /header|ByteString|ISO-8859-1/i.test(error.message)) throw new Refused(401, { code: "unauthorized" });
      throw new Unreachable(error.message);
    }
    if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
    return answer;
  }
}

/** One event of a stream, which may be a mere comment. */
export function event(text) {
  const fields = {};
  for (const line of text.split("\n")) {
    const [, name, value] = /^([a-z]+): ?(.*)$/.exec(line) ?? [];
    if (name) fields[name] = name in fields ? `${fields[name]}\n${value}` : value;
  }
  return fields;
}

async function* chunks(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
