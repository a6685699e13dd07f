// What a recognizer sees of a picture: its central square, or the whole picture, at the size of its input.

/**
 * Return a canvas of size x size pixels. drawable: ImageBitmap. view: { size, crop }, see GET /models.
 * background: color under transparent pixels.
 */
export async function asSeen(drawable, { size, crop }, background) {
  const [left, top, width, height] = seenBox(drawable, crop);
  const scaled = await createImageBitmap(drawable, left, top, width, height, { resizeWidth: size, resizeHeight: size, resizeQuality: "high" });
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const context = canvas.getContext("2d");
  context.fillStyle = background;
  context.fillRect(0, 0, size, size);
  context.drawImage(scaled, 0, 0);
  scaled.close();
  return canvas;
}

/** Return [left, top, width, height] of what is seen, in whole pixels. */
function seenBox({ width, height }, crop) {
  if (crop === null) return [0, 0, width, height];
  const side = crop * Math.min(width, height);
  return [(width - side) / 2, (height - side) / 2, side, side].map(Math.round);
}
