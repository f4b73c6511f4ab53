// The keys of the dashboard, and the sheet that lists them.

import { html } from "lit";

/** What a key does. */
export type Action =
  | "filter"
  | "down"
  | "up"
  | "page-down"
  | "page-up"
  | "open"
  | "close"
  | "remove"
  | "sort"
  | "turn"
  | "pause"
  | "relay"
  | "help"
  | "move-up"
  | "move-down";

const KEYS: Record<string, Action> = {
  "/": "filter",
  ArrowDown: "down",
  ArrowUp: "up",
  PageDown: "page-down",
  PageUp: "page-up",
  Enter: "open",
  Escape: "close",
  x: "remove",
  s: "sort",
  S: "turn",
  " ": "pause",
  r: "relay",
  "?": "help",
  "Alt+ArrowUp": "move-up",
  "Alt+ArrowDown": "move-down",
};

/** Returns what a key does, unless a person is typing, or the key belongs to the element that has the focus. */
export function actionOf(event: KeyboardEvent): Action | undefined {
  if (event.ctrlKey || event.metaKey) return undefined;
  const target = event.target as HTMLElement;
  const action = KEYS[(event.altKey ? "Alt+" : "") + event.key];
  const isField = target.matches("input:not([type=range], [type=radio], [type=checkbox]), textarea, select");
  if (isField) return action === "close" ? action : undefined;
  const isControl = target.matches("button, a, input, summary") || target.closest("dialog");
  const belongsToControl =
    event.key === "Enter" || event.key === " " || event.key.startsWith("Arrow") || event.key.startsWith("Page");
  return isControl && belongsToControl ? undefined : action;
}

const SHEET: [string, string][] = [
  ["/", "Filter the symbols"],
  ["↑ ↓", "Select a symbol"],
  ["Enter", "Open the symbol's chart"],
  ["Esc", "Close the chart, the relay or a panel"],
  ["x", "Remove the symbol from the watchlist"],
  ["Alt ↑ ↓", "Move the symbol within the watchlist"],
  ["s", "Sort by the next column"],
  ["S", "Turn the order around"],
  ["Space", "Pause or resume the feed"],
  ["r", "Open the relay"],
  ["?", "Show this sheet"],
];

/** Returns the sheet. */
export const sheet = () =>
  html`<dl class="keys">
    ${SHEET.map(
      ([key, what]) =>
        html`<div>
          <dt>${key.split(" ").map((one) => html`<kbd>${one}</kbd> `)}</dt>
          <dd>${what}</dd>
        </div>`,
    )}
  </dl>`;
