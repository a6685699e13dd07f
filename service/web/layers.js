// What the two halves of the stage show: pictures or activation maps, as they are or as the recognizer sees them.

import { asSeen } from "./recognizer-view.js";

/**
 * Return { before, after, width, height } for the viewer.
 *
 * result: null before the first result. maps: [before, after] as bitmaps, or null. view: of the recognizer, or null.
 */
export async function layersOf({ picture, result, maps, view, background }) {
  const [before, after] = maps ?? [picture.bitmap, result?.bitmap ?? null];
  if (!view) return sized(before, after, picture, result);
  const [seenBefore, seenAfter] = await Promise.all([before, after].map((each) => each && asSeen(each, view, background)));
  return { before: seenBefore, after: seenAfter, width: view.size, height: view.size };
}

function sized(before, after, picture, result) {
  const shown = picture.bitmap ?? result?.bitmap ?? { width: 4, height: 3 };
  return { before, after, width: shown.width, height: shown.height };
}
