// Validates the AsyncAPI document on standard input. Prints the errors and warnings of the document.

const { readFileSync } = require("node:fs");
const { Parser } = require("@asyncapi/parser");

// The parser advises against every version but the newest.
const ADVICE = "asyncapi-latest-version";

async function main() {
  const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
  const faults = diagnostics.filter(({ code }) => code !== ADVICE);
  for (const { path, message } of faults) console.log(`FAILED: ${path.join("/")}: ${message}`);
  process.exit(document && faults.length === 0 ? 0 : 1);
}

main();
