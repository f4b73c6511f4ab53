// Servers for the tests.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PROGRAM = process.env.TICKERPLANT ?? `${ROOT}/target/debug/tickerplant`;

/** The arguments of a replay of the project's ticks, which waits for commands. */
export const PAUSED = ["--feed", "replay", "feeds/ticks.csv", "--paused"];

/**
 * Starts a server on a free port, or on the port of `listen`.
 * Returns its address, its URL, a function that writes an event to its standard input, and a function that stops the
 * server.
 */
export async function serve(flags, env = {}, listen = "127.0.0.1:0") {
  const server = spawn(PROGRAM, ["--listen", listen, ...flags], {
    cwd: ROOT,
    stdio: ["pipe", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  let log = "";
  const address = await new Promise((resolve, reject) => {
    server.stderr.on("data", (data) => {
      log += data;
      const found = /address=(\S+)/.exec(log);
      if (found) resolve(found[1]);
    });
    server.on("error", reject);
    server.on("exit", () => reject(new Error(`the server ended: ${log}`)));
  });
  const stop = async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.kill("SIGKILL");
    await once(server, "exit");
  };
  const feed = (event) => server.stdin.write(`${JSON.stringify(event)}\n`);
  return { address, url: `http://${address}`, feed, stop };
}
