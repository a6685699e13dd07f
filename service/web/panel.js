// The result in numbers: size, recognition, palette, time, notes.

import { byId, drawing, element, fill } from "./dom.js";
import { bytes, exactPercent, milliseconds, percent, plural } from "./numbers.js";
import { showSwatches } from "./swatches.js";

/** Show a result of run.js. catalog: for the names of methods. */
export function showResult(result, catalog) {
  fill(byId("size"), ...sizeLines(result, catalog));
  fill(byId("recognition"), ...recognitionLines(result.report));
  showSwatches(result.report);
  fill(byId("time"), ...timeLines(result));
  fill(byId("notes"), ...notesOf(result).map((text) => element("li", { textContent: text })));
  fill(byId("verdict"), ...verdictOf(result));
}

/** Return one sentence for screen readers. */
export function sentenceOf({ report, bytes: size, uploadBytes }) {
  const parts = [plural(report.palette.length, "color"), bytes(size), savedText(size, uploadBytes)];
  if (report.recognition) parts.push(changeText(report.recognition));
  return `Result: ${parts.join(", ")}.`;
}

function verdictOf({ report, bytes: size, uploadBytes }) {
  const saved = element("span", { className: size > uploadBytes ? "bad" : "good", textContent: savedText(size, uploadBytes) });
  const count = element("span", { textContent: plural(report.palette.length, "color") });
  const parts = [count, element("span", {}, element("strong", { textContent: bytes(size) }), " ", saved)];
  if (report.recognition) parts.push(keptChip(report.recognition));
  return parts;
}

function keptChip({ before, after, kept }) {
  const text = kept ? `still ${after.label}, ${exactPercent(after.probability)}` : `${before.label} became ${after.label}`;
  return element("span", { className: `chip ${kept ? "good" : "bad"}` }, icon(kept), text);
}

function icon(kept) {
  const path = drawing("path", { d: kept ? "M3 8.5 6.5 12 13 4.5" : "M4 4l8 8M12 4l-8 8" });
  return drawing("svg", { viewBox: "0 0 16 16", width: 14, height: 14, class: "mark", role: "img", "aria-label": kept ? "Kept:" : "Lost:" }, path);
}

const savedText = (size, before) => (size > before ? `${percent(size / before - 1)} larger` : `${percent(1 - size / before)} smaller`);

const changeText = ({ before, after, kept }) =>
  (kept ? `still ${after.label} with ${exactPercent(after.probability)}` : `${before.label} became ${after.label} with ${exactPercent(after.probability)}`);

function sizeLines({ report, bytes: size, uploadBytes }, catalog) {
  return facts([
    ["Upload", bytes(uploadBytes)],
    ["Result", bytes(size)],
    [size > uploadBytes ? "Added" : "Saved", `${bytes(Math.abs(uploadBytes - size))} (${percent(Math.abs(1 - size / uploadBytes))})`],
    ["Bits per pixel", report.bits_per_pixel.toFixed(3)],
    ["Colors", String(report.palette.length)],
    ["Pixels", `${report.width} × ${report.height}`],
    ["Method", catalog.title(report.method)],
  ]);
}

function recognitionLines({ recognition }) {
  if (!recognition) return [element("p", { className: "muted", textContent: "No classifier looked at this picture." })];
  const { before, after, kept, model } = recognition;
  return [
    bar("Before", before, "before"),
    bar("After", after, kept ? "kept" : "lost"),
    element("p", { className: "muted small", textContent: `by ${model}` }),
  ];
}

function bar(when, { label, probability }, kind) {
  const meter = element("div", { className: `bar ${kind}`, role: "meter", "aria-label": `${when}: probability of ${label}`,
    "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(100 * probability) });
  meter.style.setProperty("--share", `${100 * probability}%`);
  const head = element("p", { className: "bar-head" }, element("span", { className: "muted", textContent: when }),
    element("strong", { textContent: label }), element("span", { className: "number", textContent: exactPercent(probability) }));
  return element("div", {}, head, meter);
}

function timeLines({ timing, roundTrip }) {
  const names = { decode: "Decode", queue: "Wait", model: "Quantize, classify", encode: "Write", total: "Service" };
  const known = timing.filter(([stage]) => stage in names).map(([stage, value]) => [names[stage], milliseconds(value)]);
  return facts([...known, ["With the transfer", milliseconds(roundTrip)]]);
}

function facts(rows) {
  const list = element("dl", { className: "facts" });
  for (const [name, value] of rows) list.append(element("dt", { textContent: name }), element("dd", { textContent: value }));
  return [list];
}

function notesOf({ report, bytes: size, uploadBytes }) {
  const notes = [...report.notes];
  if (size > uploadBytes) notes.unshift("The result is larger than the upload. Fewer colors, or no dither, make it shorter.");
  if (report.goals_met === false) notes.unshift("No result reaches the goal; this is the nearest one.");
  return notes;
}
