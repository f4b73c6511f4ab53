// Exact decimal numbers, as texts such as "184.250".

import { DECIMALS, type Decimal } from "./generated.js";

// Inside a JSON string every quotation mark has a backslash before it, so the pattern matches only fields.
const FIELDS = new RegExp(`"(${DECIMALS})":(-?[\\d.]+)`, "g");

/** Parses JSON from the server. The exact decimal numbers become texts with all their digits. */
export function parse(text: string): unknown {
  return JSON.parse(text.replace(FIELDS, '"$1":"$2"'));
}

/** Returns how many digits a number has after the point. */
function places(number: Decimal): number {
  const point = number.indexOf(".");
  return point < 0 ? 0 : number.length - point - 1;
}

/** Returns a number in units of its last place of `digits` places. */
function units(number: Decimal, digits: number): bigint {
  return BigInt(number.replace(".", "") + "0".repeat(digits - places(number)));
}

/** Returns the text of a number that is given in units of the last of `digits` places. */
function text(value: bigint, digits: number): Decimal {
  const sign = value < 0n ? "-" : "";
  const all = String(value < 0n ? -value : value).padStart(digits + 1, "0");
  const point = all.length - digits;
  return sign + all.slice(0, point) + (digits ? "." + all.slice(point) : "");
}

/** Returns a + b, exactly. */
export function add(a: Decimal, b: Decimal): Decimal {
  const digits = Math.max(places(a), places(b));
  return text(units(a, digits) + units(b, digits), digits);
}

/** Returns a - b, exactly. */
export function subtract(a: Decimal, b: Decimal): Decimal {
  const digits = Math.max(places(a), places(b));
  return text(units(a, digits) - units(b, digits), digits);
}

/** Returns a number below, equal to or above 0, as a is below, equal to or above b. */
export function compare(a: Decimal, b: Decimal): number {
  // Doubles decide quickly unless they are equal.
  return Number(a) - Number(b) || Number(subtract(a, b));
}

/** Returns `part` in percent of `whole`, with two places. Returns `undefined` if `whole` is 0. */
export function percent(part: Decimal, whole: Decimal): Decimal | undefined {
  const digits = Math.max(places(part), places(whole));
  let divisor = units(whole, digits);
  if (divisor === 0n) return undefined;
  if (divisor < 0n) divisor = -divisor;
  const dividend = units(part, digits) * 10_000n;
  const size = dividend < 0n ? -dividend : dividend;
  let quotient = size / divisor;
  // A half is rounded to the even neighbour, as on the server.
  const rest = 2n * (size % divisor);
  if (rest > divisor || (rest === divisor && quotient % 2n === 1n)) quotient += 1n;
  return text(dividend < 0n ? -quotient : quotient, 2);
}
