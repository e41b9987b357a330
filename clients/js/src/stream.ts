/**
 * Messages over server-sent events, and posts for the other direction: for networks that let no WebSocket through, and for Node 20, which has none.
 *
 * The body of the stream's request is the hello. Posts go one after the other, so that the server hears them in order; what they are answered counts like what the
 * stream says.
 */
import { wordsOf } from "./error.ts";
import type { Found } from "./environment.ts";
import { addressOf, type Wire, type WireEvents } from "./websocket.ts";
import { type ClientMessage, messagesOf, type ServerMessage } from "./wire.ts";

/** Said on every post, which knows no connection. */
export type Identity = () => { readonly token: string; readonly device: string };

/** The longest line that is taken: an offer with its payload, a few times over. */
const LINE_MAX = 4_000_000;

export function openStream(environment: Found, url: string, events: WireEvents, identity: Identity): Wire {
  const fetch = environment.fetch;
  if (!fetch) throw new Error("there is no fetch here");
  const abort = new AbortController();
  let isOver = false;
  let hasGreeted = false;
  const waiting: ClientMessage[] = [];
  let isPosting = false;

  const end = (code: string, reason: string): void => {
    if (isOver) return;
    isOver = true;
    abort.abort();
    events.closed(code, reason);
  };

  // As plain text it needs no preflight.
  const post = (path: string, body: object): Promise<Response> =>
    fetch(addressOf(url, "http", path), { method: "POST", body: JSON.stringify(body), signal: abort.signal, cache: "no-store" });

  /** Says why an answer is none. */
  const refused = async (answer: Response): Promise<void> => {
    const problem = (await answer.json().catch(() => ({}))) as { code?: string; detail?: string };
    end(problem.code ?? "lost", problem.detail ?? `the node answered ${answer.status}`);
  };

  const listen = async (hello: ClientMessage): Promise<void> => {
    const answer = await post("/v1/stream", hello);
    if (!answer.ok || !answer.body) return refused(answer);
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (isOver) return;
      if (done) return end("lost", "the stream ended");
      events.heard();
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      if (rest.length > LINE_MAX) return end("lost", "the stream makes no sense");
      for (const line of lines) if (line.startsWith("data:") && !isOver) events.messages(messagesOf(line.slice(5)));
    }
  };

  const flush = async (): Promise<void> => {
    if (isPosting) return;
    isPosting = true;
    while (waiting.length && !isOver) {
      const answer = await post("/v1/messages", { ...identity(), messages: waiting.splice(0) });
      if (!answer.ok) return refused(answer);
      const answers = (await answer.json()) as ServerMessage[];
      if (!isOver) events.messages(answers);
    }
    isPosting = false;
  };

  const lost = (thrown: unknown): void => end("lost", wordsOf(thrown));
  environment.setTimeout(() => isOver || events.opened(), 0);
  return {
    send(messages) {
      if (!hasGreeted) {
        hasGreeted = true;
        listen(messages[0] as ClientMessage).catch(lost);
        return;
      }
      waiting.push(...messages);
      flush().catch(lost);
    },
    close() {
      isOver = true;
      abort.abort();
    },
  };
}

