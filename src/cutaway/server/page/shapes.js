// @ts-check
// Lines and words, the same in the page and on a sheet that is saved.

const SVG = "http://www.w3.org/2000/svg";
const FONT = "system-ui, sans-serif";

/** @typedef {{points: [number, number][], colour: string, width: number, dash?: number[], faint?: boolean}} Line */
/** @typedef {{x: number, y: number, text: string, colour: string, size: number, bold?: boolean, anchor?: "middle" | "end"}} Words */
/** @typedef {Line | Words} Shape */

/** Shapes as a picture in the page. @param {Shape[]} shapes @param {number} width @param {number} height */
export function drawn(shapes, width, height) {
  const picture = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: `0 0 ${width} ${height}`, width, height, "font-family": FONT, "aria-hidden": "true" };
  set(picture, attributes);
  for (const shape of shapes) {
    const element = document.createElementNS(SVG, "text" in shape ? "text" : "polyline");
    set(element, attributesOf(shape));
    if ("text" in shape) element.textContent = shape.text;
    picture.append(element);
  }
  return picture;
}

/** Shapes on a sheet. @param {import("./views/pen.js").Pen} pen @param {Shape[]} shapes */
export function paint(pen, shapes) {
  for (const shape of shapes) {
    pen.save();
    if ("text" in shape) {
      pen.font = `${shape.bold ? "600 " : ""}${shape.size}px ${FONT}`;
      pen.fillStyle = shape.colour;
      pen.textAlign = shape.anchor === "middle" ? "center" : shape.anchor === "end" ? "right" : "left";
      pen.fillText(shape.text, shape.x, shape.y);
    } else {
      pen.globalAlpha = shape.faint ? 0.3 : 1;
      pen.strokeStyle = shape.colour;
      pen.lineWidth = shape.width;
      pen.setLineDash(shape.dash ?? []);
      pen.beginPath();
      for (const [x, y] of shape.points) pen.lineTo(x, y);
      pen.stroke();
    }
    pen.restore();
  }
}

/** @param {Shape} shape @returns {Record<string, string | number>} */
function attributesOf(shape) {
  if ("text" in shape) {
    const { x, y, colour, size, bold, anchor = "start" } = shape;
    return { x, y, fill: colour, "font-size": size, "font-weight": bold ? 600 : 400, "text-anchor": anchor };
  }
  const points = shape.points.map(([x, y]) => `${+x.toFixed(2)},${+y.toFixed(2)}`).join(" ");
  const { colour, width, dash = [], faint } = shape;
  const attributes = { points, fill: "none", stroke: colour, "stroke-width": width, "stroke-linejoin": "round" };
  return {
    ...attributes,
    ...(dash.length ? { "stroke-dasharray": dash.join(" ") } : {}),
    ...(faint ? { opacity: 0.3 } : {}),
  };
}

/** @param {Element} element @param {Record<string, string | number>} attributes */
function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
}
