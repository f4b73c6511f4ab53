// The parts of a browser that the tested modules use.

/** Gives the page an address and an empty storage. Returns what the storage has. */
export function openPage(address) {
  const values = new Map();
  globalThis.location = new URL(address);
  globalThis.history = {
    replaceState: (_, __, url) => {
      globalThis.location = new URL(url, location);
    },
  };
  globalThis.localStorage = {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => values.set(key, value),
  };
  return values;
}
