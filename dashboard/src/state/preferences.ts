// How the page looks: the theme, the colours of rises and falls, and their swap.

import { store, stored } from "./storage";

export const THEMES = { system: "System", light: "Light", dark: "Dark" } as const;
export const PALETTES = { classic: "Green and red", safe: "Blue and orange" } as const;

export interface Preferences {
  theme: keyof typeof THEMES;
  palette: keyof typeof PALETTES;
  /** Whether rises have the colour of falls, and falls that of rises. */
  swapped: boolean;
}

export function loadPreferences(): Preferences {
  return { theme: "system", palette: "classic", swapped: false, ...stored<Partial<Preferences>>("preferences", {}) };
}

/** Stores the preferences, and applies them to the page. */
export function applyPreferences(preferences: Preferences): void {
  store("preferences", preferences);
  const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
  const { theme, palette, swapped } = preferences;
  const root = document.documentElement.dataset;
  root.theme = theme === "system" ? (isDark ? "dark" : "light") : theme;
  root.palette = palette;
  root.swapped = String(swapped);
}

/** Returns the value of a colour of the style sheet, for what is drawn on a canvas. */
export const colour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
