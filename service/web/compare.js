// "Compare all methods": a grid that fills row by row, and a plot, for the pictures of the user.

import { byId, element, fill } from "./dom.js";
import { createGrid } from "./grid.js";
import { NEEDS_PALETTE } from "./method-controls.js";
import { scaledDown } from "./pictures.js";
import { drawPlot } from "./plot.js";

const COLORS = [2, 4, 8, 16, 32, 64];
const CHOSEN_COLORS = [2, 4, 16];
const SMALL_SIDE = 640; // pixels

/** Return { offer(catalog), setPictures(pictures) }. on: { onProblem(error), onUse(cell) }. */
export function createCompare(api, { onProblem, onUse }) {
  const grid = createGrid(byId("grid"), onUse);
  let pictures = [];
  let catalog = null;
  let running = null;

  byId("compare-start").addEventListener("click", start);
  byId("compare-stop").addEventListener("click", () => running?.abort());
  byId("compare-picture").addEventListener("change", (event) => grid.select(Number(event.target.value)));

  async function start() {
    const chosen = choices();
    if (!chosen.methods.length || !chosen.colors.length) return onProblem({ title: "Nothing to compare", detail: "Choose at least one method and one number of colors." });
    running = new AbortController();
    showRunning(true);
    const rows = [];
    try {
      const sent = await prepared(pictures);
      grid.begin({ ...chosen, pictures, titles: catalog.title });
      offerPictures(pictures);
      const options = [["methods", chosen.methods.join(",")], ["colors", chosen.colors.join(",")], ["tiles", "true"]];
      await api.benchmark(sent, options, running.signal, (line) => take(line, rows));
    } catch (error) {
      if (!running.signal.aborted) onProblem(error);
    } finally {
      showRunning(false);
    }
  }

  function take({ progress, image, row }, rows) {
    if (progress) showProgress(progress);
    if (image) grid.addImage(image);
    if (row) {
      grid.addRow(row);
      if (!row.error) rows.push(row);
      drawPlot(byId("plot"), rows, catalog.title);
    }
  }

  return {
    offer(known) {
      catalog = known;
      offerChoices(byId("compare-colors"), COLORS.map((count) => [String(count), String(count), CHOSEN_COLORS.includes(count)]));
      const methods = catalog.methods.filter(({ name }) => name !== NEEDS_PALETTE);
      offerChoices(byId("compare-methods"), methods.map(({ name, title }) => [name, title, true]));
    },
    setPictures(next) {
      pictures = next;
      byId("compare-start").textContent = pictures.length > 1 ? `Compare on ${pictures.length} pictures` : "Compare";
      byId("compare-small-row").hidden = pictures.every((each) => Math.max(each.width, each.height) <= SMALL_SIDE);
    },
  };
}

const choices = () => ({ methods: checkedIn("compare-methods"), colors: checkedIn("compare-colors").map(Number) });

const checkedIn = (id) => [...byId(id).querySelectorAll("input:checked")].map((box) => box.value);

function offerChoices(group, entries) {
  const [legend] = group.children;
  fill(group, legend, ...entries.map(([value, text, checked]) => element("label", {}, element("input", { type: "checkbox", value, checked }), ` ${text}`)));
}

/** Return the pictures as they are sent: each under a name of its own, and smaller where that is wanted. */
async function prepared(pictures) {
  const small = byId("compare-small").checked && !byId("compare-small-row").hidden;
  const sent = small ? await Promise.all(pictures.map((each) => scaledDown(each, SMALL_SIDE))) : pictures;
  return sent.map((picture, index) => ({ blob: picture.blob, name: `${index}` }));
}

function offerPictures(pictures) {
  byId("compare-picture-field").hidden = pictures.length < 2;
  fill(byId("compare-picture"), ...pictures.map(({ name }, index) => element("option", { value: index, textContent: name })));
}

function showProgress({ done, total }) {
  byId("compare-progress").max = total;
  byId("compare-progress").value = done;
  byId("compare-count").textContent = `${done} of ${total}`;
}

function showRunning(isRunning) {
  byId("compare-start").disabled = isRunning;
  byId("compare-stop").hidden = !isRunning;
  byId("compare-progress").hidden = !isRunning;
  byId("grid").setAttribute("aria-busy", isRunning);
}
