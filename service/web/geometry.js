// Where a picture lies on the stage. Lengths are CSS pixels of the stage; a view is { zoom, x, y }, with zoom 1 for the
// whole picture, and the offset of its center from the center of the stage.

export const MOST_ZOOM = 16;
export const WHOLE = Object.freeze({ zoom: 1, x: 0, y: 0 });

/** Return the scale that shows the whole picture: whole numbers above 1, so that all its pixels are equally large. */
export function fitScale(stage, picture) {
  const scale = Math.min(stage.width / picture.width, stage.height / picture.height);
  return scale > 1 ? Math.floor(scale) : scale;
}

/** Return the largest zoom: 16, or what shows each pixel of a large picture. */
export const mostZoom = (stage, picture) => Math.max(MOST_ZOOM, 1 / fitScale(stage, picture));

/** Return a view with this zoom, in which the point of the picture under `at` stays there. at: from the center. */
export function zoomed(view, zoom, at, stage, picture) {
  const next = Math.min(Math.max(zoom, 1), mostZoom(stage, picture));
  const ratio = next / view.zoom;
  return clamped({ zoom: next, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio }, stage, picture);
}

/** Return a view that is moved by (x, y). */
export const moved = (view, x, y, stage, picture) => clamped({ ...view, x: view.x + x, y: view.y + y }, stage, picture);

/** Return the rectangle of the picture on the stage. */
export function placed(view, stage, picture) {
  const scale = fitScale(stage, picture) * view.zoom;
  const [width, height] = [picture.width * scale, picture.height * scale];
  return { left: stage.width / 2 + view.x - width / 2, top: stage.height / 2 + view.y - height / 2, width, height };
}

/** Keep the picture on the stage: it is centered where it is smaller, and leaves no gap where it is larger. */
function clamped(view, stage, picture) {
  const scale = fitScale(stage, picture) * view.zoom;
  const limit = (length, space) => Math.max(0, (length - space) / 2);
  const within = (value, most) => Math.min(Math.max(value, -most), most);
  const mostX = limit(picture.width * scale, stage.width);
  const mostY = limit(picture.height * scale, stage.height);
  return { zoom: view.zoom, x: within(view.x, mostX), y: within(view.y, mostY) };
}
