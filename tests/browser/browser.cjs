// How the checks and the benchmark start Chromium.

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
  // The plain page comes from the test, so the browser takes it for a page of the internet.
  "--disable-features=LocalNetworkAccessChecks", "--host-resolver-rules=MAP ticks.example 127.0.0.1"];

module.exports = { FLAGS };
