// The page: puts its parts together. Each part is a file with one job; this one only connects them.

import { address, createApi } from "./api.js";
import { createCatalog } from "./catalog.js";
import { createCompare } from "./compare.js";
import { createControls } from "./controls.js";
import { byId } from "./dom.js";
import { confirmCopy, createExport } from "./export.js";
import { createKeys } from "./keys.js";
import { layersOf } from "./layers.js";
import { createMaps } from "./maps.js";
import { announce, clearProblem, showProblem } from "./messages.js";
import { fromFragment, sentOptions, toFragment } from "./options.js";
import { sentenceOf, showResult } from "./panel.js";
import { openPicture } from "./pictures.js";
import { createProgress } from "./progress.js";
import { createRunner } from "./run.js";
import { offerSamples } from "./samples.js";
import { createStore } from "./store.js";
import { showStrip } from "./strip.js";
import { receiveFiles } from "./uploads.js";
import { createViewer } from "./viewer.js";

const keys = createKeys();
const store = createStore(fromFragment(location.hash));
const progress = createProgress(store);
const api = createApi(keys, showWaiting);
const controls = createControls(store);
const viewer = createViewer();
const exported = createExport(keys, api, showFailure);
const maps = createMaps(api);
const run = createRunner(api, { start: progress.start, result: takeResult, problem: showFailure, idle: progress.stop });
const compare = createCompare(api, { onProblem: showFailure, onUse: useCell });
const page = { catalog: null, pictures: [], picture: null, result: null, loading: null };

start();

function start() {
  receiveFiles(addFiles);
  offerSamples(addFiles);
  confirmCopy(byId("copy-link"), linkToOptions);
  for (const id of ["as-seen", "with-map"]) byId(id).addEventListener("change", showLayers);
  window.addEventListener("hashchange", () => store.update(fromFragment(location.hash)));
  store.watch(keepInAddress);
  loadCatalog();
}

/** Ask for the catalog once; a page that lost its service asks again when the next picture comes. */
function loadCatalog() {
  page.loading ??= api.models().then((report) => {
    page.catalog = createCatalog(report);
    controls.offer(page.catalog);
    compare.offer(page.catalog);
    store.watch(() => rerun());
  }).catch((error) => {
    page.loading = null;
    showProblem(error, loadCatalog);
  });
  return page.loading;
}

function keepInAddress(options) {
  const fragment = toFragment(options);
  if (fragment !== location.hash.slice(1)) history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
}

function linkToOptions() {
  const fragment = toFragment(store.get());
  return address("./") + (fragment ? `#${fragment}` : "");
}

async function addFiles(files) {
  clearProblem();
  await loadCatalog();
  if (!page.catalog) return;
  const opened = [];
  for (const file of files.slice(0, page.catalog.limits.benchmark_images ?? 32)) {
    try {
      opened.push(await openPicture(file, file.name || "picture.png", page.catalog.limits));
    } catch (error) {
      showProblem(error);
    }
  }
  if (!opened.length) return;
  const isFirst = !page.pictures.length;
  page.pictures = [...opened, ...page.pictures].slice(0, page.catalog.limits.benchmark_images ?? 32);
  showPicture(opened[0]);
  if (isFirst) byId("viewer-title").focus({ preventScroll: true }); // the button that had the focus is gone
}

function showPicture(picture) {
  page.picture = picture;
  page.result = null;
  exported.clear();
  maps.forget();
  byId("start").hidden = true;
  byId("work").hidden = false;
  byId("work").classList.add("fresh");
  showStrip(page.pictures, picture, showPicture);
  compare.setPictures(page.pictures);
  byId("stage-note").hidden = Boolean(picture.bitmap);
  byId("stage-note").textContent = "The browser cannot show this format; the result appears alone.";
  showLayers();
  rerun(0);
}

function rerun(wait) {
  if (page.picture && page.catalog) run(page.picture, sentOptions(store.get(), page.catalog), wait);
}

function takeResult(result) {
  clearProblem();
  page.result = result;
  maps.forget();
  byId("work").classList.remove("fresh");
  showResult(result, page.catalog);
  exported.show(result);
  announce(sentenceOf(result));
  showLayers();
}

function showFailure(error) {
  showProblem(error.detail ? error : { title: "The page failed", detail: error.message }, () => rerun(0));
}

/** Draw the stage as the two switches say; a newer call replaces an older one that is still at work. */
function showLayers() {
  return drawLayers().catch(showFailure);
}

async function drawLayers() {
  const { picture, result, catalog } = page;
  if (!picture) return;
  const background = store.get().background;
  const classifier = result?.report.recognition?.model ?? catalog.classifierOf(picture.width, picture.height);
  const wantsMap = byId("with-map").checked && catalog.hasMaps(classifier);
  const view = byId("as-seen").checked ? catalog.view(classifier) : null;
  const drawn = wantsMap && result ? await maps.of(result).catch((error) => { byId("with-map").checked = false; showFailure(error); return null; }) : null;
  const layers = await layersOf({ picture, result, maps: drawn, view, background });
  if (page.picture !== picture || page.result !== result) return;
  viewer.show(layers);
  nameLayers(result);
}

function nameLayers(result) {
  const count = result ? `${result.report.palette.length} colors` : "Result";
  byId("tag-after").textContent = count;
  byId("before").setAttribute("aria-label", `Original: ${page.picture.name}`);
  byId("after").setAttribute("aria-label", result ? `Result in ${count}` : "No result yet");
}

/** Show a cell of the comparison on the stage. */
function useCell({ picture, method, colors }) {
  store.update({ method, colors: String(colors), palette: "" });
  if (picture && picture !== page.picture) showPicture(picture);
  byId("stage").scrollIntoView({ block: "nearest", behavior: "smooth" });
  byId("stage").focus({ preventScroll: true });
}

function showWaiting(seconds) {
  progress.wait(seconds);
  byId("starting").hidden = seconds === null;
}
