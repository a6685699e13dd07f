// Requests to /quantize while the user moves sliders: one at a time, the newest wins.

import { DEFAULTS } from "./options.js";
import { pause } from "./api.js";
import { stem } from "./pictures.js";

const DEBOUNCE = 200; // milliseconds

/**
 * Return a function that asks for a result after a short pause. A call ends the request before it.
 *
 * on: { start(picture), result(result), problem(error), idle() }.
 */
export function createRunner(api, on) {
  let running = null;

  return async function run(picture, options, wait = DEBOUNCE) {
    running?.abort();
    const mine = (running = new AbortController());
    try {
      if (wait) await pause(wait, mine.signal);
      on.start(picture);
      const result = await quantized(api, picture, options, mine.signal);
      if (running === mine) on.result(result);
    } catch (error) {
      if (running === mine && !mine.signal.aborted) on.problem(error);
    } finally {
      if (running === mine) { running = null; on.idle(); }
    }
  };
}

/** Return a result: the report, its PNG, and the options that made it. */
async function quantized(api, picture, options, signal) {
  const began = performance.now();
  const { report, timing } = await api.quantize(picture, options, signal);
  const roundTrip = performance.now() - began;
  const png = await blobOf(report.png);
  const bitmap = await createImageBitmap(png);
  return {
    picture, options, report, timing, roundTrip, png, bitmap,
    bytes: report.bytes ?? png.size,
    uploadBytes: report.upload_bytes ?? picture.blob.size,
    filename: report.filename ?? filenameOf(picture, options),
  };
}

function filenameOf(picture, options) {
  const given = new Map(options);
  return `${stem(picture.name)}-k${given.get("colors") ?? DEFAULTS.colors}.png`;
}

/** Return base64 as a PNG. Not with fetch of a data: address, which the policy of the page forbids. */
function blobOf(base64) {
  const text = atob(base64);
  const data = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index += 1) data[index] = text.charCodeAt(index);
  return new Blob([data], { type: "image/png" });
}
