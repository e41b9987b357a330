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

/** Who said it hears what became of it: a confirm, or why it was refused for good. */
export type Answered = (answer: Answer) => void;

export type Answer = ConfirmMessage | ErrorMessage;

export interface Entry extends Word {
  /** Our number for what was said last; echoed by the server. Grows. */
  readonly ref: number;
  /** On which connection it was sent, by number. 0: on none; {@link LATER}: it was refused, and may be sent again in a while. */
  sent: number;
  /** Those who said this, or what this replaced, each with the number it had. */
  readonly waiting: [ref: number, answered: Answered][];
}

export const LATER = -1;

const nameOf = (word: Word): string => (word.step === undefined ? "d" : "a") + keyOf(word);

/** Invariant: at most one ack and one dismissal for each key. */
export class Outbox {
  private readonly entries = new Map<string, Entry>();
  /** What was answered for good in this page, with its step. Bounded; what falls out may be kept, and sent, once too often. */
  private readonly done = new Map<string, number>();
  private ref = 0;

  get size(): number {
    return this.entries.size;
  }

  /** Takes in what the person did. Acks of one key become one: the highest step, with the data said last. */
  add(word: Word, answered?: Answered): void {
    const name = nameOf(word);
    const kept = this.entries.get(name);
    const waiting = kept?.waiting ?? [];
    if (kept && (word.step === undefined || word.step < (kept.step as number))) {
      if (answered) waiting.push([kept.ref, answered]);
      return;
    }
    if (!kept && this.size >= KEYS_MAX) {
      answered?.({ type: "error", code: "outbox_full", message: `${KEYS_MAX} acks wait for a confirm`, retry: true });
      return;
    }
    const ref = ++this.ref;
    if (answered) waiting.push([ref, answered]);
    const { id, window, step, data = kept?.data } = word;
    this.entries.set(name, { id, window, step, data, ref, sent: 0, waiting });
  }

  ack(key: Key): Entry | undefined {
    return this.entries.get("a" + keyOf(key));
  }

  dismissal(key: Key): Entry | undefined {
    return this.entries.get("d" + keyOf(key));
  }

  /** What was not yet sent on this connection, oldest first. */
  unsent(connection: number): Entry[] {
    return [...this.entries.values()].filter(({ sent }) => sent !== connection && sent !== LATER);
  }

  /** What was refused for a while may go out again. */
  again(): void {
    for (const entry of this.entries.values()) if (entry.sent === LATER) entry.sent = 0;
  }

  find(ref: number | undefined): Entry | undefined {
    return [...this.entries.values()].find((entry) => entry.ref === ref || entry.waiting.some(([waits]) => waits === ref));
  }

  /** The server's answer to what bore this number. */
  answer(ref: number | undefined, answer: Answer): void {
    const entry = this.find(ref);
    if (!entry || ref === undefined) return;
    if (answer.type === "confirm") this.confirmed(entry, ref, answer);
    else if (!answer.retry) this.settle(entry, ref, answer, entry.ref === ref);
    else if (entry.ref === ref) entry.sent = LATER;
  }

  words(): Word[] {
    return [...this.entries.values()].map(({ id, window, step, data }) => ({ id, window, step, data }));
  }

  /** What to keep, beside what another page has kept in the same place meanwhile. */
  merge(kept: readonly Word[]): Word[] {
    const isOthers = (word: Word): boolean => !this.entries.has(nameOf(word)) && !((this.done.get(nameOf(word)) ?? -1) >= (word.step ?? 0));
    return [...this.words(), ...kept.filter(isOthers)].slice(0, KEYS_MAX);
  }

  /** Takes over what an earlier page has kept. */
  load(kept: readonly Word[]): void {
    for (const word of this.merge(kept)) if (!this.entries.has(nameOf(word))) this.add(word);
  }

  private confirmed(entry: Entry, ref: number, confirm: ConfirmMessage): void {
    const isOver = isSettled(confirm.state);
    this.settle(entry, ref, confirm, isOver || entry.ref === ref || confirm.step > (entry.step ?? Infinity));
    // Nothing said about a settled delivery changes it any more.
    for (const other of isOver ? [this.ack(entry), this.dismissal(entry)] : []) if (other) this.settle(other, other.ref, confirm, true);
  }

  private settle(entry: Entry, ref: number, answer: Answer, isDone: boolean): void {
    if (isDone) {
      this.entries.delete(nameOf(entry));
      this.done.set(nameOf(entry), entry.step ?? 0);
      if (this.done.size > 2 * KEYS_MAX) this.done.delete(this.done.keys().next().value as string);
    }
    const all = entry.waiting.splice(0);
    const hears = ([waits]: [number, Answered]): boolean => isDone || waits <= ref;
    entry.waiting.push(...all.filter((one) => !hears(one)));
    for (const [, tell] of all.filter(hears)) tell(answer);
  }
}
