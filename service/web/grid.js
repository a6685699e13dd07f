// The grid of a comparison: a row for each method, a column for each number of colors, a cell for each result.

import { element, fill } from "./dom.js";
import { percent } from "./numbers.js";

/** Return the grid in `target`. Images and rows of the service are named by the index of their picture. */
export function createGrid(target, onUse) {
  let asked = { methods: [], colors: [], pictures: [], titles: String };
  let cells = new Map();
  let images = new Map();
  let shown = 0;

  const key = (picture, method, colors) => `${picture} ${method} ${colors}`;

  function draw() {
    const head = element("tr", {}, element("th", { scope: "col", textContent: "Method" }),
      ...asked.colors.map((count) => element("th", { scope: "col", textContent: `${count} colors` })));
    const rows = asked.methods.map((method) => element("tr", {}, element("th", { scope: "row", textContent: asked.titles(method) }),
      ...asked.colors.map((count) => cellOf(method, count))));
    fill(target, caption(images.get(shown)), element("table", { className: "grid" }, element("thead", {}, head), element("tbody", {}, ...rows)));
    target.hidden = false;
  }

  function cellOf(method, colors) {
    const row = cells.get(key(shown, method, colors));
    const cell = element("td", { "data-cell": key(shown, method, colors) });
    fill(cell, row ? content(row, () => onUse({ picture: asked.pictures[shown], method, colors })) : element("span", { className: "pending", textContent: "…" }));
    return cell;
  }

  return {
    begin(next) { asked = next; cells = new Map(); images = new Map(); shown = 0; draw(); },
    select(index) { shown = index; draw(); },
    addImage(image) { images.set(Number(image.image), image); if (Number(image.image) === shown) draw(); },
    addRow(row) {
      const name = key(row.image, row.method, row.colors);
      cells.set(name, row);
      target.querySelector(`[data-cell="${CSS.escape(name)}"]`)?.replaceWith(cellOf(row.method, row.colors));
    },
  };
}

function caption(image) {
  if (!image) return element("p", { className: "muted", textContent: "The pictures are on their way." });
  if (image.error) return element("p", { className: "bad", textContent: image.error.detail });
  return element("p", { className: "muted", textContent: `Original: ${image.label}, ${percent(image.probability)}. A press on a result shows it above.` });
}

function content(row, use) {
  if (row.error) return element("span", { className: "muted small failed", textContent: row.error.detail });
  const mark = row.kept ? "good" : "bad";
  const button = element("button", { type: "button", className: `cell ${mark}`,
    "aria-label": `${row.method}, ${row.colors} colors: ${row.kept ? "kept" : "lost"}, ${row.label} ${percent(row.probability)}, ${row.bits_per_pixel.toFixed(2)} bits per pixel` });
  if (row.tile) button.append(element("img", { src: `data:image/png;base64,${row.tile}`, alt: "" }));
  button.append(
    element("span", { className: "cell-label" }, element("span", { className: `dot ${mark}`, textContent: row.kept ? "✓" : "✗" }), ` ${row.label} ${percent(row.probability)}`),
    element("span", { className: "muted small", textContent: `${row.bits_per_pixel.toFixed(2)} bpp` }),
  );
  button.addEventListener("click", use);
  return button;
}
