/**
 * From the words of the wire to those of the interface.
 */
import type { Confirmed, Window } from "./types.ts";
import { type ConfirmMessage, isSettled, type WindowFields } from "./wire.ts";

export const windowOf = ({ id, opened_at, closes_at }: WindowFields): Window => ({ id, openedAt: opened_at, closesAt: closes_at });

export const confirmedOf = ({ type: _type, ref: _ref, data: _data, ...same }: ConfirmMessage & { readonly data?: unknown }): Confirmed => ({
  ...same,
  settled: isSettled(same.state),
});
