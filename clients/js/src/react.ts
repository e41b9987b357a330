/**
 * The React entry: hooks over a client that the app has made. It draws nothing.
 */
import { createContext, createElement, type ReactNode, useContext, useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import type { Delivery, Engage, Notice, State } from "./types.ts";

const Context = createContext<Engage | null>(null);

/** Gives a client to all that is drawn inside. */
export function EngageProvider({ engage, children }: { readonly engage: Engage; readonly children?: ReactNode }): ReactNode {
  return createElement(Context.Provider, { value: engage }, children);
}

/** The client of the nearest {@link EngageProvider}. */
export function useEngage(): Engage {
  const engage = useContext(Context);
  if (!engage) throw new Error("there is no EngageProvider around this component");
  return engage;
}

/** What the client is doing. */
export function useEngageState(): State {
  const engage = useEngage();
  const subscribe = useMemo(() => (changed: () => void) => engage.on("state", changed), [engage]);
  const look = (): State => engage.state;
  return useSyncExternalStore(subscribe, look, look);
}

const NONE: readonly Delivery[] = [];

/** What is to be on the screen, in the order in which it was offered. Draws anew whenever something about one of them changes. */
export function useDeliveries(): readonly Delivery[] {
  const engage = useEngage();
  const subscribe = useMemo(
    () => (changed: () => void) => {
      const stops = [engage.on("change", changed), engage.on("offer", changed)];
      return () => stops.forEach((stop) => stop());
    },
    [engage],
  );
  return useSyncExternalStore(
    subscribe,
    () => engage.deliveries,
    () => NONE,
  );
}

/** The first of {@link useDeliveries}; for a client with `show: 1` the only one. It says that it is shown as soon as it is drawn. */
export function useDelivery(): Delivery | undefined {
  const delivery = useDeliveries()[0];
  useShown(delivery);
  return delivery;
}

/** Says that a delivery is shown, once, when the component that draws it is on the screen. */
export function useShown(delivery: Delivery | undefined): void {
  useEffect(() => {
    if (delivery?.state === "offered") void delivery.shown();
  }, [delivery]);
}

/** Calls back for each notice. */
export function useNotices(listener: (notice: Notice) => void): void {
  const engage = useEngage();
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => engage.on("notice", (notice) => latest.current(notice)), [engage]);
}
