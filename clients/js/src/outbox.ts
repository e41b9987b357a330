/**
 * What was said about deliveries and has no confirm yet: acks and dismissals. Kept until the server confirms them or refuses them for good. It sends nothing itself.
 *
 * Bound: {@link KEYS_MAX} entries, as many as a hello may carry. What comes beyond is refused at once: an app that can't be confirmed should stop showing things.
 */
import { type ConfirmMessage, type ErrorMessage, isSettled, type Key, KEYS_MAX, keyOf } from "./wire.ts";

/** An ack; without `step` a dismissal. */
export interface Word extends Key {
  readonly step?: number;
  readonly data?: unknown;
}

export type Answer = ConfirmMessage | ErrorMessage;

/** Who said it hears what became of it: a confirm, or why it was refused for good. */
export type Answered = (answer: Answer) => void;

export interface Entry extends Word {
  /** Our number for what was said last; echoed by the server. Grows. */
  readonly ref: number;
  /** On which connection it was sent, by number. 0: on none. {@link LATER}: it was refused, and may be sent again in a while. */
  sent: number;
  /** Those who said this, or what this replaced. */
  waiting: readonly Answered[];
}

export interface Outbox {
  size(): number;
  /** Takes in what the person did. Acks of one key become one: the highest step, with the data said last. */
  add(word: Word, answered?: Answered): void;
  ack(key: Key): Entry | undefined;
  dismissal(key: Key): Entry | undefined;
  /** What was not yet sent on this connection, oldest first. */
  unsent(connection: number): Entry[];
  /** What was refused for a while may go out again. */
  again(): void;
  /** What this number was given to, unless it was replaced since. */
  find(ref: number | undefined): Entry | undefined;
  /** The server's answer to what bore this number. Of what is settled by it nothing is left to say. */
  answer(answer: Answer, ref: number | undefined): void;
  /** What to keep. */
  words(): Word[];
}

/** No more of it than the word. */
export const wordOf = ({ id, window, step, data }: Word): Word => ({ id, window, step, data });

const LATER = -1;

/** An entry's name. Invariant: at most one ack and one dismissal for each key. */
const nameOf = (word: Word): string => (word.step === undefined ? "d" : "a") + keyOf(word);

export function createOutbox(): Outbox {
  const entries = new Map<string, Entry>();
  let lastRef = 0;

  const ack = (key: Key): Entry | undefined => entries.get("a" + keyOf(key));
  const dismissal = (key: Key): Entry | undefined => entries.get("d" + keyOf(key));

  return {
    size: () => entries.size,
    ack,
    dismissal,
    words: () => [...entries.values()].map(wordOf),
    add(word, answered) {
      const name = nameOf(word);
      const kept = entries.get(name);
      const waiting = [...(kept?.waiting ?? []), ...(answered ? [answered] : [])];
      if (kept && (word.step ?? -1) < (kept.step ?? 0)) kept.waiting = waiting;
      else if (!kept && entries.size >= KEYS_MAX) answered?.({ type: "error", code: "outbox_full", message: "", retry: true });
      else entries.set(name, { ...wordOf(word), data: word.data ?? kept?.data, ref: ++lastRef, sent: 0, waiting });
    },
    unsent: (connection) => [...entries.values()].filter(({ sent }) => sent !== connection && sent !== LATER),
    again() {
      for (const entry of entries.values()) if (entry.sent === LATER) entry.sent = 0;
    },
    find: (ref) => [...entries.values()].find((entry) => entry.ref === ref),
    answer(answer, ref) {
      for (const [name, entry] of [...entries]) {
        if (entry.ref !== ref && !(answer.type === "confirm" && isSettled(answer.state) && keyOf(answer) === keyOf(entry))) continue;
        if (answer.type === "error" && answer.retry) {
          entry.sent = LATER;
          continue;
        }
        entries.delete(name);
        for (const tell of entry.waiting) tell(answer);
      }
    },
  };
}
