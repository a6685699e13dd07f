// The stage: original and result on top of each other, with zoom and pan. The divider is in divider.js.

import { byId } from "./dom.js";
import { WHOLE, fitScale, mostZoom, moved, placed, zoomed } from "./geometry.js";
import { createDivider } from "./divider.js";

const STEP = 1.5; // of one press of + or -
const PAN = 40; // CSS pixels of one press of an arrow key

/** Return the viewer: `show` draws a pair of pictures, and keeps zoom and place where the shape stays. */
export function createViewer() {
  const stage = byId("stage");
  const canvases = [byId("before"), byId("after")];
  const divider = createDivider(stage);
  let pair = null; // { before, after, width, height }: drawables or null, and the size that both are shown in
  let view = WHOLE;
  let frame = 0;

  const space = () => ({ width: stage.clientWidth, height: stage.clientHeight });
  const change = (next) => { view = next; redraw(); };
  const redraw = () => { frame ||= requestAnimationFrame(draw); };

  function draw() {
    frame = 0;
    if (!pair || !stage.clientWidth) return;
    const rectangle = placed(view, space(), pair);
    placePaper(rectangle);
    canvases.forEach((canvas, index) => paint(canvas, [pair.before, pair.after][index], rectangle, space()));
    stage.classList.toggle("zoomed", view.zoom > 1);
    stage.classList.toggle("alone", !pair.before || !pair.after);
    showZoom(view, space(), pair);
  }

  const zoomTo = (zoom, at = { x: 0, y: 0 }) => { if (pair) change(zoomed(view, zoom, at, space(), pair)); };
  const panBy = (x, y) => { if (pair) change(moved(view, x, y, space(), pair)); };
  wireButtons(zoomTo, () => view, () => pair && 1 / fitScale(space(), pair));
  wireKeys(stage, zoomTo, panBy, () => view);
  wirePointers(stage, { zoomTo, panBy, view: () => view, divider });
  new ResizeObserver(() => { if (pair) change(moved(view, 0, 0, space(), pair)); }).observe(stage);

  return {
    show(next) {
      const sameShape = pair && Math.abs(pair.width / pair.height - next.width / next.height) < 0.01;
      pair = next;
      change(sameShape ? zoomed(view, view.zoom, { x: 0, y: 0 }, space(), pair) : WHOLE);
    },
  };
}

/** Lay the checkered ground under the picture, which shows through where the picture is transparent. */
function placePaper({ left, top, width, height }) {
  const { style } = byId("paper");
  for (const [name, value] of Object.entries({ left, top, width, height })) style.setProperty(name, `${value}px`);
}

/** Draw a picture sharp where it is enlarged, smooth where it is reduced. */
function paint(canvas, drawable, { left, top, width, height }, space) {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(space.width * ratio), Math.round(space.height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high });
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, wide, high);
  if (!drawable) return;
  context.imageSmoothingEnabled = (width * ratio) / drawable.width < 1;
  context.imageSmoothingQuality = "high";
  const [x, y] = [left, top].map((length) => Math.round(length * ratio));
  context.drawImage(drawable, x, y, Math.round(width * ratio), Math.round(height * ratio));
}

function showZoom({ zoom }, space, pair) {
  const slider = byId("zoom");
  slider.max = mostZoom(space, pair).toFixed(1);
  slider.value = zoom.toFixed(1);
  slider.setAttribute("aria-valuetext", `${zoom.toFixed(1)} times`);
  byId("zoom-text").textContent = `${Math.round(100 * fitScale(space, pair) * zoom)} %`;
}

function wireButtons(zoomTo, view, actual) {
  byId("zoom-in").addEventListener("click", () => zoomTo(view().zoom * STEP));
  byId("zoom-out").addEventListener("click", () => zoomTo(view().zoom / STEP));
  byId("zoom-fit").addEventListener("click", () => zoomTo(1));
  byId("zoom-actual").addEventListener("click", () => zoomTo(actual() ?? 1));
  byId("zoom").addEventListener("input", (event) => zoomTo(Number(event.target.value)));
}

function wireKeys(stage, zoomTo, panBy, view) {
  const actions = {
    "+": () => zoomTo(view().zoom * STEP),
    "=": () => zoomTo(view().zoom * STEP),
    "-": () => zoomTo(view().zoom / STEP),
    0: () => zoomTo(1),
    ArrowLeft: () => panBy(PAN, 0),
    ArrowRight: () => panBy(-PAN, 0),
    ArrowUp: () => panBy(0, PAN),
    ArrowDown: () => panBy(0, -PAN),
  };
  stage.addEventListener("keydown", (event) => {
    const isArrow = event.key.startsWith("Arrow");
    const meant = event.target === stage && actions[event.key] && !event.ctrlKey && !event.metaKey;
    if (!meant || (isArrow && view().zoom === 1)) return; // the arrow keys then scroll the page
    event.preventDefault();
    actions[event.key]();
  });
}

/** One pointer moves the enlarged picture, or else the divider; two pointers zoom; so does the wheel with Ctrl. */
function wirePointers(stage, { zoomTo, panBy, view, divider }) {
  const pointers = new Map();
  const fromCenter = ({ clientX, clientY }) => {
    const box = stage.getBoundingClientRect();
    return { x: clientX - box.left - box.width / 2, y: clientY - box.top - box.height / 2 };
  };

  stage.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button") || divider.holds(event) || (event.pointerType === "mouse" && event.button !== 0)) return;
    stage.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, fromCenter(event));
  });
  stage.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    const here = fromCenter(event);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, here);
    if (other) pinch(last, here, other, view().zoom, zoomTo);
    else if (view().zoom > 1) panBy(here.x - last.x, here.y - last.y);
    else divider.moveTo(event.clientX);
  });
  for (const type of ["pointerup", "pointercancel"]) stage.addEventListener(type, (event) => pointers.delete(event.pointerId));
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // without, the wheel scrolls the page
    event.preventDefault();
    zoomTo(view().zoom * Math.exp(-event.deltaY / 200), fromCenter(event));
  }, { passive: false });
}

function pinch(last, here, other, zoom, zoomTo) {
  const distance = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
  const middle = { x: (here.x + other.x) / 2, y: (here.y + other.y) / 2 };
  zoomTo((zoom * distance(here)) / distance(last), middle);
}
