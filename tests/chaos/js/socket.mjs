// A WebSocket as the JS client needs one, for Node 20, which has none. Unlike a browser's, it can go away without a word, as a killed process does.

import { randomBytes } from "node:crypto";
import { request } from "node:http";

const [CONTINUED, TEXT, CLOSE, PING, PONG] = [0, 1, 8, 9, 10];

export class Socket {
  onopen = null;
  onmessage = null;
  onclose = null;
  onerror = null;
  #stream;
  #asked;
  #rest = Buffer.alloc(0);
  #text = [];
  #code = 1006;
  #isOver = false;

  constructor(url, protocols) {
    const headers = {
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": randomBytes(16).toString("base64"),
      "sec-websocket-protocol": protocols.join(", "),
    };
    this.#asked = request(url.replace(/^ws/, "http"), { headers, agent: false });
    this.#asked.on("upgrade", (_, stream, head) => this.#opened(stream, head));
    this.#asked.on("response", (response) => (response.resume(), this.#over()));
    this.#asked.on("error", () => this.#over());
    this.#asked.end();
  }

  send(text) {
    this.#write(TEXT, Buffer.from(text));
  }

  /** Says that it closes, and waits for the other side to do so. */
  close(code = 1000) {
    if (!this.#stream) return this.destroy();
    const reason = Buffer.alloc(2);
    reason.writeUInt16BE(code);
    this.#write(CLOSE, reason);
  }

  /** Goes away without a word. */
  destroy() {
    this.#isOver = true;
    this.#asked.destroy();
    this.#stream?.destroy();
  }

  #opened(stream, head) {
    this.#stream = stream;
    stream.on("data", (bytes) => this.#take(bytes));
    stream.on("error", () => {});
    stream.on("close", () => this.#over());
    if (this.#isOver) return stream.destroy();
    this.onopen?.({});
    this.#take(head);
  }

  #over() {
    if (this.#isOver) return;
    this.#isOver = true;
    this.closed(this.#code);
  }

  /** It is over, by itself or by the other side; 1006 without a Close frame. */
  closed(code) {
    this.onclose?.({ code, reason: "" });
  }

  #take(bytes) {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (let frame = this.#frame(); frame && !this.#isOver; frame = this.#frame()) this.#took(frame);
  }

  /** The next frame, if all of it is there. What a server sends is not masked. */
  #frame() {
    const rest = this.#rest;
    if (rest.length < 2) return null;
    const [first, short] = [rest[0], rest[1] & 127];
    const start = { 126: 4, 127: 10 }[short] ?? 2;
    if (rest.length < start) return null;
    const length = { 4: () => rest.readUInt16BE(2), 10: () => Number(rest.readBigUInt64BE(2)) }[start]?.() ?? short;
    if (rest.length < start + length) return null;
    this.#rest = rest.subarray(start + length);
    return { isLast: (first & 128) !== 0, kind: first & 15, body: rest.subarray(start, start + length) };
  }

  #took({ isLast, kind, body }) {
    if (kind === TEXT || kind === CONTINUED) {
      this.#text.push(body);
      if (isLast) this.onmessage?.({ data: Buffer.concat(this.#text.splice(0)).toString() });
    } else if (kind === PING) {
      this.#write(PONG, body);
    } else if (kind === CLOSE) {
      this.#code = body.length >= 2 ? body.readUInt16BE(0) : 1005;
      this.#write(CLOSE, body.subarray(0, 2));
      this.#stream.end();
    }
  }

  #write(kind, body) {
    const head = body.length < 126 ? Buffer.from([128 | kind, 128 | body.length]) : Buffer.from([128 | kind, 128 | 126, body.length >> 8, body.length & 255]);
    const mask = randomBytes(4);
    const masked = Buffer.from(body.map((byte, place) => byte ^ mask[place % 4]));
    this.#stream?.write(Buffer.concat([head, mask, masked]));
  }
}
