// What the browser keeps for this server's dashboard.

const PREFIX = "tickerplant-dashboard-";

/** Returns a stored value, or the given one where nothing is stored or the browser blocks storage. */
export function stored<T>(key: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(PREFIX + key);
    return text ? (JSON.parse(text) as T) : otherwise;
  } catch {
    return otherwise;
  }
}

export function store(key: string, value: unknown): void {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // The browser blocks storage. The value lasts until the page is closed.
  }
}
