// Exact decimal numbers, as texts such as "184.250".

import { DECIMALS, type Decimal } from "./generated.js";

// Inside a JSON string every quotation mark has a backslash before it, so the pattern matches only fields.
const FIELDS = new RegExp(`"(${DECIMALS})":(-?[\\d.]+)`, "g");

/** Parses JSON from the server. The exact decimal numbers become texts with all their digits. */
export function parse(text: string): unknown {
  return JSON.parse(text.replace(FIELDS, '"$1":"$2"'));
}

/** Returns two numbers in units of the last place that one of them has, and the number of places. */
function align(a: Decimal, b: Decimal): [bigint, bigint, number] {
  const fractions = [a, b].map((number) => number.split(".")[1]?.length ?? 0) as [number, number];
  const places = Math.max(...fractions);
  const units = (number: Decimal, own: number) => BigInt(number.replace(".", "") + "0".repeat(places - own));
  return [units(a, fractions[0]), units(b, fractions[1]), places];
}

/** Returns the text of a number that is given in units of its last place. */
function write(units: bigint, places: number): Decimal {
  const digits = String(units).replace("-", "").padStart(places + 1, "0");
  const point = digits.length - places;
  return (units < 0n ? "-" : "") + digits.slice(0, point) + (places ? "." + digits.slice(point) : "");
}

/** Returns a + b, exactly. */
export function add(a: Decimal, b: Decimal): Decimal {
  const [left, right, places] = align(a, b);
  return write(left + right, places);
}

/** Returns a - b, exactly. */
export function subtract(a: Decimal, b: Decimal): Decimal {
  const [left, right, places] = align(a, b);
  return write(left - right, places);
}

/** Returns whether a is above b. */
export function isAbove(a: Decimal, b: Decimal): boolean {
  const [left, right] = align(a, b);
  return left > right;
}

/** Returns `part` in percent of the size of `whole`, with two places. Returns `undefined` if `whole` is 0. */
export function percent(part: Decimal, whole: Decimal): Decimal | undefined {
  const [left, right] = align(part, whole);
  if (!right) return undefined;
  const size = (number: bigint) => (number < 0n ? -number : number);
  const dividend = size(left) * 10_000n;
  const divisor = size(right);
  let quotient = dividend / divisor;
  // A half is rounded to the even neighbour, as on the server.
  if (2n * (dividend % divisor) + (quotient & 1n) > divisor) quotient += 1n;
  return write(left < 0n ? -quotient : quotient, 2);
}
