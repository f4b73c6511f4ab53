// The state of the connection and of the feed in words.

import type { Client } from "tickerplant";

/** How a state looks: good, in between, or bad. */
export type Tone = "good" | "wait" | "bad";

export interface Status {
  tone: Tone;
  word: string;
  /** What changes every second. A screen reader does not read it aloud. */
  progress?: string;
  detail: string;
  /** Whether the prices on the page may be old. */
  isStale: boolean;
}

/** Returns the status to show. Prices are live only while the connection is live and the feed runs. */
export function statusOf({ state, feed }: Client, retryAt: number): Status {
  switch (state.state) {
    case "connecting":
      return { tone: "wait", word: "Connecting", detail: "", isStale: true };
    case "catching_up":
      return { tone: "wait", word: "Catching up", detail: "", isStale: false };
    case "stale":
      return { tone: "bad", word: "Silent", detail: "nothing heard from the server", isStale: true };
    case "reconnecting": {
      const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
      return { tone: "bad", word: "Reconnecting", progress: `in ${seconds} s`, detail: state.reason, isStale: true };
    }
    case "offline":
      return { tone: "bad", word: "Offline", detail: "this computer has no network", isStale: true };
    case "refused":
      return { tone: "bad", word: "Refused", detail: state.message, isStale: true };
    case "closed":
      return { tone: "bad", word: "Closed", detail: "", isStale: true };
    case "live":
      return statusOfFeed(feed?.state, feed?.detail ?? "");
  }
}

function statusOfFeed(state = "running", detail: string): Status {
  switch (state) {
    case "running":
      return { tone: "good", word: "Live", detail: "", isStale: false };
    case "paused":
      return { tone: "wait", word: "Paused", detail, isStale: false };
    case "ended":
      return { tone: "wait", word: "Ended", detail, isStale: false };
    case "failed":
      return { tone: "bad", word: "Feed failed", detail, isStale: true };
    case "stalled":
      return { tone: "bad", word: "Feed stalled", detail: detail || "no event for a while", isStale: true };
    default:
      return { tone: "wait", word: state[0]!.toUpperCase() + state.slice(1), detail, isStale: true };
  }
}
