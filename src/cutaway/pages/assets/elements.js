// @ts-check
// Elements, and what several views do with them.

/**
 * An element with attributes, listeners (`onclick`), style properties and children.
 * Text becomes text nodes and never markup, so a token may hold anything.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/**
 * At most one call per frame, with the newest arguments: a pointer moves more often than a screen is drawn.
 *
 * @template {any[]} A
 * @param {(...args: A) => void} work
 * @returns {(...args: A) => void}
 */
export function eachFrame(work) {
  /** @type {A | null} */
  let waiting = null;
  return (...args) => {
    if (!waiting) {
      requestAnimationFrame(() => {
        const newest = /** @type {A} */ (waiting);
        waiting = null;
        work(...newest);
      });
    }
    waiting = args;
  };
}

/**
 * A labelled choice.
 *
 * @param {string} label
 * @param {Record<string, string>} options what is shown for each value
 * @param {(value: string) => void} onChange
 */
export function choice(label, options, onChange) {
  const select = h("select", { onchange: () => onChange(select.value) });
  for (const [value, text] of Object.entries(options)) select.append(h("option", { value }, text));
  return h("label", { class: "choice" }, h("span", {}, label), select);
}

/**
 * A canvas of a size in CSS pixels, sharp on any screen, and its context in CSS pixels.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
export function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w) canvas.width = w;
  if (canvas.height !== h) canvas.height = h;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/**
 * A text cut to a width, with … where something is missing.
 *
 * @param {{measureText: (text: string) => {width: number}}} context
 * @param {string} text
 * @param {number} width
 */
export function cut(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low ? `${text.slice(0, low)}…` : "";
}

/** Whether a key press belongs to a field that is being edited. @param {KeyboardEvent} event */
export function isTyping(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  return ["INPUT", "SELECT", "TEXTAREA"].includes(target.tagName) || document.querySelector("dialog[open]") !== null;
}
