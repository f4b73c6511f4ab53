// Exact decimals. Prices and sizes stay text with all their digits, because a double would lose some.

/** Returns the number of digits after the decimal point. */
export function places(number: string): number {
  const point = number.indexOf(".");
  return point < 0 ? 0 : number.length - point - 1;
}

/** Returns a - b, exactly. */
export function subtract(a: string, b: string): string {
  const digits = Math.max(places(a), places(b));
  return fromUnits(units(a, digits) - units(b, digits), digits);
}

/** Returns a negative number, 0 or a positive number. Compares doubles first. Compares exactly if they are equal. */
export function compare(a: string, b: string): number {
  return Number(a) - Number(b) || (a === b ? 0 : Number(subtract(a, b)));
}

function units(number: string, digits: number): bigint {
  const [whole = "0", fraction = ""] = number.split(".");
  return BigInt(whole + fraction.padEnd(digits, "0"));
}

function fromUnits(value: bigint, digits: number): string {
  const text = String(value < 0n ? -value : value).padStart(digits + 1, "0");
  const point = text.length - digits;
  return (value < 0n ? "-" : "") + text.slice(0, point) + (digits ? `.${text.slice(point)}` : "");
}

/** Returns a number with separators between thousands, and with zeros up to this number of decimals. */
export function grouped(number: string, decimals = 0): string {
  const [whole = "", fraction = ""] = number.split(".");
  const padded = fraction.padEnd(decimals, "0");
  const separated = whole.length > 3 ? whole.replace(/\B(?=(\d{3})+$)/g, ",") : whole;
  return padded ? `${separated}.${padded}` : separated;
}

/** Returns a number with its sign. The minus is the typographic one, which is as wide as the plus. */
export function signed(text: string): string {
  if (text.startsWith("-")) return `−${text.slice(1)}`;
  return /[1-9]/.test(text) ? `+${text}` : text;
}

/** The units of short numbers. */
const UNITS = [
  [1e3, "K"],
  [1e6, "M"],
  [1e9, "B"],
  [1e12, "T"],
] as const;

/** Returns a large number in short form, such as `1.20M`. A number below 10,000 has separators instead. */
export function short(number: string): string {
  const value = Number(number);
  if (value < 1e4) return grouped(number);
  // The number is rounded before its unit is chosen, because 999,500 is 1.00M.
  const rounded = Number(value.toPrecision(3));
  const [unit, letter] = UNITS.findLast(([least]) => rounded >= least)!;
  const scaled = rounded / unit;
  return grouped(scaled < 1000 ? scaled.toPrecision(3) : scaled.toFixed(0)) + letter;
}
