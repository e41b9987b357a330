/**
 * Listeners by name. One that throws harms neither the others nor the client: what it threw is reported as an uncaught error of its own.
 */

export class Emitter<Events> {
  private readonly all = new Map<keyof Events, Set<(event: never) => void>>();

  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void {
    const listeners = this.all.get(name) ?? new Set();
    this.all.set(name, listeners);
    // The same function twice is two listeners: each has its own undo.
    const own = (event: Events[Name]): void => listener(event);
    listeners.add(own);
    return () => {
      listeners.delete(own);
    };
  }

  has(name: keyof Events): boolean {
    return !!this.all.get(name)?.size;
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.all.get(name) ?? [])] as ((event: Events[Name]) => void)[]) {
      try {
        listener(event);
      } catch (thrown) {
        void Promise.reject(thrown);
      }
    }
  }
}
