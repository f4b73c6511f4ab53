// Writes `src/generated.ts`: the types of all frames, commands and answers. The types come from the schemas
// in the server's own documents, `/openapi.json` and `/asyncapi.json`. With `--check`, the script only
// compares the file with what it would write, and fails if they differ.

import { readFile, writeFile } from "node:fs/promises";

import { PAUSED, serve } from "../test/servers.mjs";

const FILE = new URL("../src/generated.ts", import.meta.url);
const WIDTH = 110;

const server = await serve(PAUSED);
const read = async (path) => (await fetch(`${server.url}/${path}`)).json();
const [openapi, asyncapi] = await Promise.all([read("openapi.json"), read("asyncapi.json")]);
await server.stop();

const schemas = { ...asyncapi.components.schemas, ...openapi.components.schemas };
const names = Object.keys(schemas).sort();

/** Returns the name of the type that a reference or a schema's name stands for. */
function nameOf(reference) {
  const name = reference.slice(reference.lastIndexOf("/") + 1);
  return name === "Number" ? "Decimal" : name;
}

/** Returns a description as a comment with an indent. */
function comment(text, indent) {
  if (!text) return "";
  const lines = [""];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last && indent.length + 3 + last.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = last ? `${last} ${word}` : word;
  }
  const single = `${indent}/** ${lines[0]} */\n`;
  if (lines.length === 1 && single.length <= WIDTH) return single;
  return `${indent}/**\n${lines.map((line) => `${indent} * ${line}\n`).join("")}${indent} */\n`;
}

/** Returns the TypeScript type of a schema. */
function typeOf(schema) {
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.oneOf) return schema.oneOf.map(typeOf).join(" | ");
  if (Array.isArray(schema.type)) return schema.type.map((type) => typeOf({ type })).join(" | ");
  switch (schema.type) {
    case "string":
    case "boolean":
      return schema.type;
    case "integer":
    case "number":
      return "number";
    case "array": {
      const item = typeOf(schema.items);
      return item.includes(" ") ? `(${item})[]` : `${item}[]`;
    }
    case "object":
      return `{ [name: string]: ${typeOf(schema.additionalProperties)} }`;
    default:
      throw new Error(`the generator does not know this schema: ${JSON.stringify(schema)}`);
  }
}

/** Returns the declaration of the type with this name. */
function declaration(name) {
  const schema = schemas[name];
  const head = comment(schema.description, "");
  if (name === "Number") {
    const text = `${schema.description} The type is a string, because a JavaScript number would lose digits.`;
    return `${comment(text, "")}export type Decimal = string;\n`;
  }
  if (!schema.properties) {
    const line = `export type ${name} = ${typeOf(schema)};\n`;
    if (line.length <= WIDTH) return head + line;
    return `${head}export type ${name} =\n  | ${typeOf(schema).replaceAll(" | ", "\n  | ")};\n`;
  }
  const required = new Set(schema.required);
  const fields = Object.entries(schema.properties).map(([field, property]) => {
    const optional = required.has(field) ? "" : "?";
    return `${comment(property.description, "  ")}  ${field}${optional}: ${typeOf(property)};\n`;
  });
  return `${head}export interface ${name} {\n${fields.join("")}}\n`;
}

/** Returns the type of the answers of all data routes, by the route's path after `/api/v1/`. */
function answers() {
  const fields = [];
  for (const [path, { get }] of Object.entries(openapi.paths)) {
    const schema = get?.responses[200]?.content?.["application/json"]?.schema;
    const route = path.split("/api/v1/")[1];
    if (!route || !schema) continue;
    const key = route.includes("{") ? `[path: \`${route.replace(/\{.*?\}/g, "${string}")}\`]` : route;
    fields.push(`  ${key}: ${typeOf(schema)};\n`);
  }
  const text = "The answers of the data routes. The names are the paths after `/api/v1/`.";
  return `${comment(text, "")}export interface Answers {\n${fields.join("")}}\n`;
}

const isDecimal = ([, property]) => property.$ref?.endsWith("/Number");
const decimals = new Set(
  names.flatMap((name) => Object.entries(schemas[name].properties ?? {}).filter(isDecimal).map(([field]) => field)),
);
const text = [
  "// `npm run generate` writes this file from the server's documents, `/openapi.json` and `/asyncapi.json`.\n",
  comment("The fields whose values are exact decimal numbers.", "") +
    `export const DECIMALS =\n  "${[...decimals].sort().join("|")}";\n`,
  answers(),
  ...names.map(declaration),
].join("\n");

if (!process.argv.includes("--check")) {
  await writeFile(FILE, text);
} else if ((await readFile(FILE, "utf8")) !== text) {
  console.error("src/generated.ts differs from the server's documents; run `npm run generate` in clients/js");
  process.exitCode = 1;
}
