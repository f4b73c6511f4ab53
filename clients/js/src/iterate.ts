// Updates as an asynchronous iteration.

import { ServerError } from "./errors.js";
import type { Client, Update } from "./types.js";

/** How many updates may wait for the loop. */
const LONGEST_QUEUE = 100_000;

/** Iterates over the updates of a client. Ends when the client is closed, and throws what the server refuses. */
export async function* iterate(client: Client): AsyncGenerator<Update, void> {
  let queue: Update[] = [];
  let wake = () => {};
  const removers = [
    client.on("update", (update) => {
      queue.push(update);
      wake();
    }),
    client.on("state", () => wake()),
  ];
  try {
    for (;;) {
      const { state } = client;
      const batch = queue;
      queue = [];
      for (const update of batch) {
        yield update;
        if (queue.length > LONGEST_QUEUE) throw new Error(`the loop has left ${queue.length} updates waiting; it is too slow`);
      }
      if (queue.length) continue;
      if (state.state === "closed") return;
      if (state.state === "refused") throw new ServerError(state.code, state.message, state.status);
      if (client.state === state) await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    removers.forEach((remove) => remove());
  }
}
