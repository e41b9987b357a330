/**
 * What tabs and the device say to each other. Plain data: it may go from one tab to another, also to one that runs another version of this.
 */
import type { Answer, Word } from "./outbox.ts";
import type { State, Traffic, Window } from "./types.ts";
import type { ConfirmMessage, NoticeMessage, OfferMessage, ProgressMessage, WithdrawMessage } from "./wire.ts";

/** A tab to the device. */
export type FromTab =
  /** The person did something; `n` is the tab's number for it. */
  | { readonly type: "say"; readonly n: number; readonly word: Word }
  | { readonly type: "seen"; readonly id: string }
  /** How the tab is: at its start, at each change, and when a new device asks. */
  | {
      readonly type: "here";
      readonly visible: boolean;
      /** What it shows. */
      readonly open: readonly OfferMessage[];
      /** What it has no answer to. */
      readonly words: readonly (readonly [n: number, word: Word])[];
    }
  | { readonly type: "gone" }
  | { readonly type: "reconnect" };

/** The device to a tab. */
export type ToTab =
  | OfferMessage
  | ProgressMessage
  | WithdrawMessage
  | NoticeMessage
  | (ConfirmMessage & { readonly data?: unknown })
  | { readonly type: "window"; readonly event: Window }
  | { readonly type: "answer"; readonly n: number; readonly answer: Answer }
  | { readonly type: "status"; readonly status: Status }
  | { readonly type: "message"; readonly event: Traffic }
  | { readonly type: "error"; readonly code: string; readonly message: string; readonly retry: boolean }
  /** A new device asks who is here. */
  | { readonly type: "who" };

export interface Status {
  readonly state: State;
  readonly user: string | undefined;
  readonly device: string;
  readonly pending: number;
}

/** All tabs, as an address. */
export const ALL = "*";
