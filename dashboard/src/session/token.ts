// The token of this tab. It lasts for the session only, and never stays in the address bar.

const KEY = "tickerplant-token";

let token = "";

try {
  token = sessionStorage.getItem(KEY) ?? "";
} catch {
  // The browser blocks storage. The token lasts until the page is closed or reloaded.
}

/** Returns the token, or an empty text. */
export const currentToken = (): string => token;

export function useToken(text: string): void {
  token = text;
  try {
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  } catch {
    // See above.
  }
}
