// Labels kept over bits per pixel, one line for each method, as SVG.

import { drawing, element, fill } from "./dom.js";
import { percent } from "./numbers.js";

const SIZE = { width: 720, height: 360, left: 52, right: 14, top: 14, bottom: 44 };
const COLORS = 10; // classes .series-0 to .series-9 of page.css
const DASHES = ["", "6 4", "2 3"];
const TICKS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20];

/** Draw the plot of all rows that have arrived. titles: the name of a method for people. */
export function drawPlot(figure, rows, titles) {
  const lines = meansOf(rows);
  if (!lines.length) return;
  const scale = scaleOf(lines);
  const svg = drawing("svg", { viewBox: `0 0 ${SIZE.width} ${SIZE.height}`, role: "img", "aria-label": "Labels kept over bits per pixel; the grid has the numbers" },
    ...axes(scale), ...lines.map((line, index) => series(line, index, scale)));
  const caption = element("figcaption", {}, element("strong", { textContent: "Labels kept over bits per pixel" }), " (farther left and higher is better)");
  fill(figure, caption, svg, legend(lines, titles));
  figure.hidden = false;
}

/** Return [{ method, points: [{ bits, kept }] }], the means over pictures at each number of colors. */
function meansOf(rows) {
  const groups = Map.groupBy ? Map.groupBy(rows, (row) => row.method) : grouped(rows, (row) => row.method);
  return [...groups].map(([method, own]) => ({ method, points: [...grouped(own, (row) => row.colors)].sort(([a], [b]) => a - b).map(([, same]) => mean(same)) }));
}

function grouped(values, key) {
  const groups = new Map();
  for (const value of values) groups.set(key(value), [...(groups.get(key(value)) ?? []), value]);
  return groups;
}

const mean = (rows) => ({
  bits: rows.reduce((sum, row) => sum + row.bits_per_pixel, 0) / rows.length,
  kept: rows.filter((row) => row.kept).length / rows.length,
});

function scaleOf(lines) {
  const bits = lines.flatMap(({ points }) => points.map((point) => point.bits));
  const [least, most] = [Math.log(Math.min(...bits) * 0.85), Math.log(Math.max(...bits) * 1.15)];
  return {
    least: Math.exp(least),
    most: Math.exp(most),
    x: (value) => SIZE.left + ((Math.log(value) - least) / (most - least)) * (SIZE.width - SIZE.left - SIZE.right),
    y: (value) => SIZE.height - SIZE.bottom - value * (SIZE.height - SIZE.top - SIZE.bottom),
  };
}

function axes({ least, most, x, y }) {
  const rows = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => [
    drawing("line", { x1: SIZE.left, x2: SIZE.width - SIZE.right, y1: y(share), y2: y(share), class: "rule" }),
    drawing("text", { x: SIZE.left - 8, y: y(share) + 4, "text-anchor": "end" }, percent(share)),
  ]);
  const columns = TICKS.filter((tick) => tick >= least && tick <= most).flatMap((tick) => [
    drawing("line", { x1: x(tick), x2: x(tick), y1: y(0), y2: y(1), class: "rule" }),
    drawing("text", { x: x(tick), y: SIZE.height - SIZE.bottom + 18, "text-anchor": "middle" }, String(tick)),
  ]);
  return [...rows, ...columns, drawing("text", { x: SIZE.width / 2, y: SIZE.height - 6, "text-anchor": "middle" }, "bits per pixel")];
}

function series({ points }, index, { x, y }) {
  const path = points.map((point) => `${x(point.bits).toFixed(1)},${y(point.kept).toFixed(1)}`).join(" ");
  const dots = points.map((point) => drawing("circle", { cx: x(point.bits), cy: y(point.kept), r: 4 }));
  return drawing("g", { class: `series series-${index % COLORS}` }, drawing("polyline", { points: path, "stroke-dasharray": dashOf(index) }), ...dots);
}

const dashOf = (index) => DASHES[Math.floor(index / COLORS) % DASHES.length];

function legend(lines, titles) {
  return element("ul", { className: "legend" }, ...lines.map(({ method }, index) => {
    const sample = drawing("svg", { viewBox: "0 0 28 10", width: 28, height: 10, class: `series series-${index % COLORS}`, "aria-hidden": "true" },
      drawing("polyline", { points: "0,5 28,5", "stroke-dasharray": dashOf(index) }), drawing("circle", { cx: 14, cy: 5, r: 3.5 }));
    return element("li", {}, sample, ` ${titles(method)}`);
  }));
}
