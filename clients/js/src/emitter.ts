/**
 * Listeners by name. One that throws harms neither the others nor the client: what it threw is reported as an uncaught error of its own.
 */

export interface Emitter<Events> {
  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): () => void;
  has(name: keyof Events): boolean;
  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void;
}

export function createEmitter<Events>(): Emitter<Events> {
  type Listener = readonly [name: keyof Events, listener: (event: never) => void];
  const all = new Set<Listener>();
  const of = (name: keyof Events): Listener[] => [...all].filter((one) => one[0] === name);
  return {
    on(name, listener) {
      // The same function twice is two listeners: each has its own undo.
      const one: Listener = [name, listener];
      all.add(one);
      return () => {
        all.delete(one);
      };
    },
    has: (name) => of(name).length > 0,
    emit(name, event) {
      for (const [, listener] of of(name)) {
        try {
          listener(event as never);
        } catch (thrown) {
          void Promise.reject(thrown);
        }
      }
    },
  };
}
