// Pictures of the user: decoded by the browser where it can, and checked against the limits of the service.

import { bytes } from "./numbers.js";

const THUMB = 96; // pixels

/** A picture that the service would refuse, or that has no content. title and detail say what to do. */
export class Unfit extends Error {
  constructor(title, detail) {
    super(title);
    Object.assign(this, { title, detail });
  }
}

/**
 * Return { name, blob, bitmap, width, height, thumbnail }. bitmap is null, and the size 0, where the browser cannot show
 * the format, such as BPG and TIFF. Throw Unfit for a picture beyond the limits, before anything is sent.
 */
export async function openPicture(blob, name, limits) {
  checkBytes(blob, name, limits);
  const bitmap = await createImageBitmap(blob).catch(() => null);
  checkKind(blob, name, bitmap);
  if (bitmap) checkPixels(bitmap, name, limits);
  return { name, blob, bitmap, width: bitmap?.width ?? 0, height: bitmap?.height ?? 0, thumbnail: bitmap && (await thumbnailOf(bitmap)) };
}

/** Return a picture scaled down to at most `side` pixels on its longest side; the same picture where it is smaller. */
export async function scaledDown(picture, side) {
  const scale = side / Math.max(picture.width, picture.height);
  if (!picture.bitmap || scale >= 1) return picture;
  const [width, height] = [picture.width, picture.height].map((length) => Math.max(1, Math.round(length * scale)));
  const canvas = await resized(picture.bitmap, width, height);
  return { ...picture, blob: await canvas.convertToBlob({ type: "image/png" }), name: `${stem(picture.name)}.png` };
}

/** Return the file name without its ending. */
export const stem = (name) => name.replace(/\.[^.]*$/, "") || "picture";

function checkBytes(blob, name, { upload_bytes: most = Infinity }) {
  if (blob.size === 0) throw new Unfit(`${name} is empty`, "Choose another file.");
  if (blob.size + 2048 > most) { // a form has some more bytes than its file
    throw new Unfit(`${name} is too large`, `It has ${bytes(blob.size)}; this service accepts up to ${bytes(most)}. Choose a smaller picture.`);
  }
}

function checkKind(blob, name, bitmap) {
  const maybe = !blob.type || blob.type.startsWith("image/");
  if (!bitmap && !maybe) throw new Unfit(`${name} is no picture`, "Choose a PNG, JPEG, WebP, GIF, BMP, TIFF or BPG file.");
}

function checkPixels({ width, height }, name, { pixels: most = Infinity }) {
  if (width * height > most) {
    const megapixels = (count) => `${(count / 1e6).toFixed(1)} megapixels`;
    throw new Unfit(`${name} is too large`, `It has ${megapixels(width * height)}; this service accepts up to ${megapixels(most)}. Choose a smaller picture.`);
  }
}

async function thumbnailOf(bitmap) {
  const scale = Math.min(1, THUMB / Math.min(bitmap.width, bitmap.height));
  const canvas = await resized(bitmap, Math.ceil(bitmap.width * scale), Math.ceil(bitmap.height * scale));
  return URL.createObjectURL(await canvas.convertToBlob({ type: "image/png" }));
}

async function resized(bitmap, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const scaled = await createImageBitmap(bitmap, { resizeWidth: width, resizeHeight: height, resizeQuality: "high" });
  canvas.getContext("2d").drawImage(scaled, 0, 0);
  scaled.close();
  return canvas;
}
