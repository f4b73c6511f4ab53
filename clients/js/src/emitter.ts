// Listeners by the name of their event.

/** Calls listeners. */
export interface Emitter<Events> {
  /** Adds a listener, unless it is there already. Returns a function that removes it. */
  on<K extends keyof Events>(name: K, listener: (event: Events[K]) => void): () => void;
  /**
   * Calls the listeners of an event. An error in a listener reaches the program, but does not stop the
   * client.
   */
  emit<K extends keyof Events>(name: K, event: Events[K]): void;
}

/** Returns an emitter without listeners. */
export function emitterOf<Events>(): Emitter<Events> {
  const all: { [K in keyof Events]?: Set<(event: Events[K]) => void> } = {};
  return {
    on(name, listener) {
      const listeners = (all[name] ??= new Set());
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    emit(name, event) {
      for (const listener of all[name] ?? []) {
        try {
          listener(event);
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    },
  };
}
