// Activation maps of original and result: where the recognizer finds the class of the original.

/** Return { of(result), forget() }; the maps of a result are asked for once. */
export function createMaps(api) {
  let known = null;
  return {
    /** Return [before, after] as bitmaps. */
    of(result) {
      if (known?.result !== result) known = { result, maps: request(api, result) };
      return known.maps;
    },
    forget() { known = null; },
  };
}

function request(api, { picture, png, filename, report, options }) {
  const background = options.filter(([name]) => name === "background");
  const { model, before } = report.recognition;
  const asked = [["model", model], ["cam", String(before.index)], ...background];
  const map = async (blob, name) => createImageBitmap(await api.map(blob, name, asked));
  return Promise.all([map(picture.blob, picture.name), map(png, filename)]);
}
