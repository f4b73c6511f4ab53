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
 * Returns its address, its URL and a function that stops the server.
 */
export async function serve(flags, env = {}, listen = "127.0.0.1:0") {
  const server = spawn(PROGRAM, ["--listen", listen, ...flags], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "pipe"],
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
  return { address, url: `http://${address}`, stop };
}

/**
 * Starts a TCP proxy on a free port, in front of the address `to`.
 *
 * `cut` breaks all connections. While `swallows` is true, no byte of the server reaches a client. While `refuses`
 * is true, new connections are broken at once. While `blocksUpgrades` is true, a request for a WebSocket is
 * answered with 502, as some proxies do.
 */
export async function startProxy(to) {
  const sockets = new Set();
  const proxy = { to, swallows: false, refuses: false, blocksUpgrades: false, accepted: 0 };
  proxy.cut = () => sockets.forEach((socket) => socket.destroy());
  const server = createServer((client) => {
    if (proxy.refuses) return client.destroy();
    proxy.accepted += 1;
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
    client.on("data", (data) => {
      if (proxy.blocksUpgrades && /^upgrade: *websocket/im.test(data)) {
        client.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      } else {
        upstream.write(data);
      }
    });
    upstream.on("data", (data) => proxy.swallows || client.write(data));
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
