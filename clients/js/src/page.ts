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

export function watch({ document, window, appState }: Found, watcher: Watcher): Watched {
  const undo: (() => void)[] = [];
  const listen = (target: typeof window, name: string, listener: (event: { persisted?: boolean }) => void): void => {
    target?.addEventListener?.(name, listener);
    undo.push(() => target?.removeEventListener?.(name, listener));
  };
  listen(document, "visibilitychange", watcher.looked);
  listen(window, "online", watcher.online);
  listen(window, "offline", watcher.online);
  listen(window, "pagehide", watcher.left);
  listen(window, "pageshow", ({ persisted }) => persisted && watcher.back());
  const subscription = appState?.addEventListener("change", watcher.looked);
  undo.push(() => subscription?.remove());
  return {
    isVisible: () => (appState ? appState.currentState === "active" : document?.visibilityState !== "hidden"),
    stop: () => undo.forEach((act) => act()),
  };
}
