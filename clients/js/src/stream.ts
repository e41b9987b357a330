/**
 * Messages over server-sent events, and posts for the other direction: for networks that let no WebSocket through, and for Node 20, which has none.
 *
 * The body of the stream's request is the hello. Posts go one after the other, so that the server hears them in order; what they are answered counts like what the
 * stream says.
 */
import type { Found } from "./environment.ts";
import type { Environment } from "./types.ts";
import { addressOf, type Wire, type WireEvents } from "./websocket.ts";
import { type ClientMessage, closeName, messagesOf } from "./wire.ts";

/** A line that is longer comes from no engage node. */
const LINE_MAX = 4e6;

export function openStream({ fetch, setTimeout }: Found, url: string, events: WireEvents, identity: () => object): Wire {
  const abort = new AbortController();
  let isOver = false;
  /** The last post; none before the hello. */
  let posted: Promise<void> | undefined;

  const end = (code: string, reason: string): void => {
    if (isOver) return;
    isOver = true;
    abort.abort();
    events.closed(code, reason);
  };
  const lost = (thrown: unknown): void => end("lost", `${thrown}`);

  /** Resolves with the answer, if it is one. A body that is plain text needs no preflight. */
  const post = async (path: string, body: object): Promise<Response | undefined> => {
    const answer = await (fetch as Environment["fetch"])(addressOf(url, "http", path), { method: "POST", body: JSON.stringify(body), signal: abort.signal });
    if (answer.ok) return answer;
    // The close codes of a WebSocket are those of HTTP, and 4000.
    end(closeName(4000 + answer.status), `the node answered ${answer.status}`);
    return undefined;
  };

  const listen = async (hello: ClientMessage): Promise<void> => {
    const reader = (await post("stream", hello))?.body?.getReader();
    const decoder = new TextDecoder();
    for (let rest = ""; reader; ) {
      const { done, value } = await reader.read();
      if (done || rest.length > LINE_MAX) return end("lost", "lost");
      events.heard();
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() as string;
      for (const line of lines) if (line.startsWith("data:")) events.came(messagesOf(line.slice(5)));
    }
  };

  const say = async (messages: readonly ClientMessage[]): Promise<void> => {
    const answer = await post("messages", { ...identity(), messages });
    if (answer) events.came(messagesOf(await answer.text()));
  };

  // Like any other wire it opens later than this function returns.
  setTimeout(() => isOver || events.opened(), 0);
  return {
    send(messages) {
      if (!posted) listen(messages[0] as ClientMessage).catch(lost);
      posted = posted ? posted.then(() => say(messages)).catch(lost) : Promise.resolve();
    },
    close() {
      isOver = true;
      abort.abort();
    },
  };
}
