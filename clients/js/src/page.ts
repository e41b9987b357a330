/**
 * What the platform tells of the page or app: whether the person can see it, whether there is a network, whether it goes or comes back. Silent where there is no page.
 */
import type { Found } from "./environment.ts";

export interface Watcher {
  /** It came into view or went out of it. */
  looked(): void;
  /** The network came back, or may have. */
  online(): void;
  /** It goes: for good, or into the back-forward cache. */
  left(): void;
  /** It came back out of that cache. */
  back(): void;
}

export interface Watched {
  isVisible(): boolean;
  stop(): void;
}

export function watch({ document, window, appState }: Found, { looked, online, left, back }: Watcher): Watched {
  const shown = (event: unknown): void => {
    if ((event as { readonly persisted?: boolean }).persisted) back();
  };
  const listens = [
    [document, "visibilitychange", looked],
    [window, "online", online],
    [window, "pagehide", left],
    [window, "pageshow", shown],
  ] as const;
  for (const [target, name, listener] of listens) target?.addEventListener(name, listener);
  const subscription = appState?.addEventListener("change", looked);
  return {
    isVisible: () => (appState ? appState.currentState === "active" : document?.visibilityState !== "hidden"),
    stop() {
      for (const [target, name, listener] of listens) target?.removeEventListener(name, listener);
      subscription?.remove();
    },
  };
}
