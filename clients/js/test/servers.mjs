// Servers for the tests, and TCP proxies between a client and a server.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
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

/**
 * Starts a TCP proxy on a free port, in front of the address `to`.
 *
 * - `cut` breaks all connections.
 * - `swallow` lets no more bytes of the server through on the present connections.
 * - While `refuses` is true, new connections are broken at once. While `hangs` is true, they get no answer.
 * - `upgrades` says what becomes of requests for a WebSocket: "pass"; "refuse" answers with 502, as some
 *   proxies do; "swallow" answers nothing; "mute" lets only the handshake through.
 * - After `breakAfter` bytes from the server, the connection that has received them is broken, once.
 */
export async function startProxy(to) {
  const sockets = new Set();
  const proxy = { to, refuses: false, hangs: false, upgrades: "pass", breakAfter: Infinity };
  proxy.cut = () => sockets.forEach((socket) => socket.destroy());
  proxy.swallow = () => sockets.forEach((socket) => socket.emit("swallow"));
  const server = createServer((client) => {
    if (proxy.refuses) return client.destroy();
    const [host, port] = proxy.to.split(":");
    const upstream = connect(Number(port), host);
    for (const [socket, other] of [[client, upstream], [upstream, client]]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    if (proxy.hangs) return;
    let isMute = false;
    let swallows = false;
    let received = 0;
    client.on("swallow", () => (swallows = true));
    client.on("data", (data) => {
      const upgrades = /^upgrade: *websocket/im.test(data) ? proxy.upgrades : "pass";
      isMute = upgrades === "mute";
      if (upgrades === "refuse") {
        client.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      } else if (upgrades !== "swallow") {
        upstream.write(data);
      }
    });
    upstream.on("data", (data) => {
      if (swallows) return;
      swallows = isMute;
      received += data.length;
      if (received < proxy.breakAfter) return client.write(data);
      proxy.breakAfter = Infinity;
      client.end(data.subarray(0, data.length / 2));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy.url = `http://127.0.0.1:${server.address().port}`;
  proxy.stop = () => {
    server.close();
    proxy.cut();
  };
  return proxy;
}
