// @ts-check
// What the colours mean.

import { h, sized } from "./elements.js";
import { pageColour } from "./colour.js";

const HEIGHT = 44;
const BAR = { top: 16, height: 10 };

export class Legend {
  constructor() {
    this.canvas = h("canvas", { role: "img", class: "legend" });
  }

  /**
   * @param {import("./colour.js").Scale} scale
   * @param {number} [width]
   */
  draw(scale, width = 300) {
    this.paint = (/** @type {import("./pen.js").Pen} */ pen) => paint(pen, scale, width);
    this.width = width;
    this.paint(sized(this.canvas, width, HEIGHT));
    const ticks = scale.ticks.map((tick) => tick.text).join(", ");
    this.canvas.setAttribute("aria-label", `Colours: ${scale.title}, ${ticks}`);
  }

  /** For a file. @returns {import("./picture.js").Picture} */
  picture() {
    return { width: this.width ?? 0, height: HEIGHT, paint: (pen) => this.paint?.(pen) };
  }
}

/** @param {import("./pen.js").Pen} pen @param {import("./colour.js").Scale} scale @param {number} width */
function paint(pen, scale, width) {
  const { css } = scale.colours;
  for (let x = 0; x < width; x++) {
    pen.fillStyle = css[Math.round((x / (width - 1)) * 254)];
    pen.fillRect(x, BAR.top, 1.5, BAR.height);
  }
  pen.font = "12px system-ui, sans-serif";
  pen.fillStyle = pageColour("--ink");
  pen.fillText(scale.title, 0, 11, width);
  pen.fillStyle = pageColour("--muted");
  /** @type {{left: number, right: number}[]} */
  const taken = [];
  // The ends come first, then the others; one that would touch what is there is left out.
  const [first, ...rest] = scale.ticks;
  for (const { at, text } of [first, ...rest.slice(-1), ...rest.slice(0, -1)]) {
    const textWidth = pen.measureText(text).width;
    const left = Math.min(Math.max(0, at * width - textWidth / 2), width - textWidth);
    const right = left + textWidth;
    if (taken.some((other) => left < other.right + 8 && other.left < right + 8)) continue;
    taken.push({ left, right });
    pen.fillRect(Math.min(at * width, width - 1), BAR.top + BAR.height, 1, 3);
    pen.fillText(text, left, HEIGHT - 4);
  }
}
