// A TCP proxy between a client and a server, for tests. It can break and hinder connections.

import { once } from "node:events";
import { connect, createServer } from "node:net";

/**
 * Starts a TCP proxy on a free port, in front of the address `to`. `edit` can change the bytes that a client sends.
 *
 * - `cut` breaks all connections.
 * - `swallow` lets no more bytes of the server through on the present connections.
 * - While `refuses` is true, new connections are broken at once. While `hangs` is true, they get no answer.
 * - `upgrades` says what becomes of requests for a WebSocket: "pass"; "refuse" answers with 502, as some
 *   proxies do; "swallow" answers nothing; "mute" lets only the handshake through.
 * - After `breakAfter` bytes from the server, the connection that has received them is broken, once.
 */
export async function startProxy(to, edit = (data) => data) {
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
        upstream.write(edit(data));
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
  proxy.port = server.address().port;
  proxy.url = `http://127.0.0.1:${proxy.port}`;
  proxy.stop = () => {
    server.close();
    proxy.cut();
  };
  return proxy;
}
