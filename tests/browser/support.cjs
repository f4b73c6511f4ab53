// Servers and proxies for the checks.

const { spawn } = require("node:child_process");
const { mkdtempSync, writeFileSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");

/** A folder for the files of the checks. */
const FOLDER = mkdtempSync(join(tmpdir(), "tickerplant-browser-"));

/** Starts a server on a free port. Returns its process and a promise of its address. */
function serve(flags, env = {}) {
  const server = spawn(process.env.TICKERPLANT ?? "target/debug/tickerplant", ["--listen", "127.0.0.1:0", ...flags],
    { stdio: ["pipe", "ignore", "pipe"], env: { ...process.env, ...env } });
  const address = new Promise((resolve, reject) => {
    let log = "";
    server.stderr.on("data", (data) => {
      log += data;
      const found = log.match(/address=(\S+)/);
      if (found) resolve(found[1]);
    });
    server.on("exit", () => reject(new Error(`the server ended: ${log}`)));
  });
  return { server, address };
}

/** Starts a TCP proxy, as the tests of the client library do. */
async function startProxy(...options) {
  const proxies = await import("../../clients/js/test/proxy.mjs");
  return proxies.startProxy(...options);
}

/** Sends a command to the feed. Returns the status after it. */
async function control(address, command) {
  const response = await fetch(`http://${address}/api/v1/feed`, { method: "POST", body: JSON.stringify(command) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error.message);
  return answer;
}

/** Returns the answer of a data route, whose path comes after `/api/v1/`. */
async function ask(address, path) {
  return (await fetch(`http://${address}/api/v1/${path}`)).json();
}

/** Returns the flags of a server with one token, `secret`, that has these permissions. */
function withToken(permissions, feed = ["--feed", "simulated"]) {
  const file = join(FOLDER, "tokens.toml");
  // The hash is from `printf %s secret | sha256sum`.
  writeFileSync(file, `[[auth.tokens]]\nname = "dashboard"\n${permissions}\n` +
    'sha256 = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"\n');
  return [...feed, "--config", file];
}

module.exports = { FOLDER, ask, control, serve, startProxy, withToken };
