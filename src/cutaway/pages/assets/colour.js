// @ts-check
// Colours: the page's own, light or dark, and maps from numbers to colours that colour-blind people can read.

// Every sixteenth colour of the maps; between two the mixture is within what an eye can tell.
const TABLES = {
  viridis:
    "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1fa088 28ae80 3fbc73 5ec962 84d44b addc30 d8e219 fde725",
  cividis:
    "00224e 002e6a 1a386f 32436d 434e6c 535a6d 61656f 6f7073 7d7c78 8c8878 9b9476 aba072 bcae6c cdbb63 dec958 f0d846 fee838",
  // Blue below zero, orange above; the middle is the page's paper.
  divergingLight: "0b3c7d 2a72b8 6fabd9 b9d9ee f6f4f1 f6d3ab e8994f c2620f 6e3200",
  divergingDark: "b5dcff 6cb2f0 3580c4 244c74 24272c 6d4423 bd6d20 f0a050 ffe0b3",
};

export const BLANK = 255;
const HIGHEST = 254;

/**
 * A map of 255 colours, by index; index 255 is blank.
 *
 * @typedef {object} ColourMap
 * @property {Uint32Array} pixels as canvas pixels
 * @property {Uint8Array} weight which of several pooled cells is shown: the one with the greatest weight
 * @property {string[]} css
 * @property {string[]} ink black or white, whatever can be read on the colour
 */

/**
 * What says which index a value has.
 *
 * @typedef {object} Scale
 * @property {ColourMap} colours
 * @property {(value: number) => number} index
 * @property {{at: number, text: string}[]} ticks places from 0 to 1 along the legend
 * @property {string} title quantity and unit
 */

/**
 * `points` is the part of viridis that can be told from the page's paper.
 *
 * @param {"viridis" | "cividis" | "diverging" | "points"} name
 * @returns {ColourMap}
 */
export function colourMap(name) {
  const diverging = name === "diverging";
  const table = {
    viridis: TABLES.viridis,
    cividis: TABLES.cividis,
    diverging: isDark() ? TABLES.divergingDark : TABLES.divergingLight,
    points: isDark() ? TABLES.viridis.slice(7 * 4) : TABLES.viridis.slice(0, -7 * 3),
  }[name];
  const stops = table.split(" ").map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));
  const map = { pixels: new Uint32Array(256), weight: new Uint8Array(256), css: [""], ink: [""] };
  for (let index = 0; index <= HIGHEST; index++) {
    const along = (index / HIGHEST) * (stops.length - 1);
    const below = Math.min(Math.floor(along), stops.length - 2);
    const [r, g, b] = stops[below].map((part, c) => Math.round(part + (along - below) * (stops[below + 1][c] - part)));
    // Canvas pixels are bytes red, green, blue, alpha; all browsers run on little-endian machines.
    map.pixels[index] = (255 << 24) | (b << 16) | (g << 8) | r;
    map.weight[index] = diverging ? Math.abs(index - HIGHEST / 2) + 1 : index + 1;
    map.css[index] = `rgb(${r} ${g} ${b})`;
    // Where both have the same contrast, 4.6 to 1.
    map.ink[index] = luminance(r, g, b) > 0.179 ? "#000" : "#fff";
  }
  return map;
}

/** How bright a colour is, from 0 to 1 (WCAG 2.2). @param {...number} parts red, green, blue */
function luminance(...parts) {
  const [r, g, b] = parts.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** From a place between 0 and 1 to an index. @param {number} place */
export function indexAt(place) {
  return Number.isNaN(place) ? BLANK : Math.round(Math.min(1, Math.max(0, place)) * HIGHEST);
}

/** Whether the page is dark at the moment. */
export function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

/** @type {Map<string, string>} */
const known = new Map();

/** One of the style sheet's colours, such as `--ink`, for a canvas. @param {string} name */
export function pageColour(name) {
  let colour = known.get(name);
  if (!colour) {
    const probe = document.createElement("i");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    colour = getComputedStyle(probe).color;
    probe.remove();
    known.set(name, colour);
  }
  return colour;
}

/** @type {Set<() => void>} */
const redraws = new Set();

/** Call this whenever the colours of the page change, until what it draws is gone. @param {() => void} redraw @param {AbortSignal} [gone] */
export function onThemeChange(redraw, gone) {
  redraws.add(redraw);
  gone?.addEventListener("abort", () => redraws.delete(redraw));
}

/** The page has become light or dark. */
export function themeChanged() {
  known.clear();
  for (const redraw of redraws) redraw();
}
