// Updates as an asynchronous iteration.

import type { Client, Update } from "./types.js";

/** How many updates may wait for the loop. */
const LONGEST_QUEUE = 100_000;

/**
 * Iterates over the updates of a client. Ends when the client is closed, and throws what the server refuses.
 */
export async function* iterate(
  client: Client,
  refusal: () => Error | undefined,
): AsyncGenerator<Update, void> {
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
      const batch = queue;
      queue = [];
      for (const update of batch) {
        yield update;
        if (queue.length > LONGEST_QUEUE) throw new Error("the loop is too slow");
      }
      if (queue.length) continue;
      if (client.state.state === "closed") return;
      const error = refusal();
      if (error) throw error;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    removers.forEach((remove) => remove());
  }
}
