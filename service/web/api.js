// Requests to the service that serves this page.

const MOST_TRIES = 6;
const MOST_TRIES_AT_START = 60; // a service that has just started loads its networks first
const DEFAULT_WAIT = 2; // seconds

/** An error of the service (RFC 9457), or of the way to it. */
export class Problem extends Error {
  constructor({ title = "", detail = "", status = 0, type = "" }) {
    super(detail || title);
    Object.assign(this, { title, detail, status, name: "Problem", kind: type.split(":").pop() });
  }
}

/** Return the address of an endpoint beside this page, also behind a proxy that adds a folder. */
export const address = (path) => new URL(path, document.baseURI).href.split("#")[0];

/**
 * Return the requests of the page.
 *
 * keys: the API key, see keys.js. onWait: told the seconds before a busy service is asked again, and null afterwards.
 */
export function createApi(keys, onWait = () => {}) {
  const send = (path, init, most = MOST_TRIES) => sendPolitely(() => request(path, init, keys), most, init.signal, onWait);
  const post = (path, body, accept, signal) => send(path, { method: "POST", body, headers: { Accept: accept }, signal });

  return {
    async models(signal) {
      return (await send("models", { headers: { Accept: "application/json" }, signal }, MOST_TRIES_AT_START)).json();
    },

    /** Return { report, timing, bytes of the upload }. options: [name, value]. */
    async quantize(picture, options, signal) {
      const response = await post("quantize", form([picture], options), "application/json", signal);
      return { report: await response.json(), timing: serverTiming(response) };
    },

    /** Return the result as a file of another format: "webp", "raw" or "packed". */
    async file(picture, options, format) {
      return (await post("quantize", form([picture], [...options, ["format", format]]), "*/*")).blob();
    },

    /** Return the activation map of a class over a picture, as a PNG. */
    async map(blob, name, options, signal) {
      return (await post("classify", form([{ blob, name }], options), "image/png", signal)).blob();
    },

    /** Call onLine with each JSON line of a benchmark, as soon as it arrives. */
    async benchmark(pictures, options, signal, onLine) {
      const response = await post("benchmark", form(pictures, options), "application/x-ndjson", signal);
      for await (const line of lines(response.body)) onLine(JSON.parse(line));
    },
  };
}

function form(pictures, options) {
  const data = new FormData();
  for (const { blob, name } of pictures) data.append("file", blob, name);
  for (const [name, value] of options) data.append(name, value);
  return data;
}

async function request(path, init, keys) {
  const headers = { ...init.headers, ...(keys.get() ? { Authorization: `Bearer ${keys.get()}` } : {}) };
  const response = await fetch(address(path), { ...init, headers }).catch((error) => {
    if (error.name === "AbortError") throw error;
    throw new Problem({ title: "The service does not respond", detail: "Check that it runs and is reachable, then try again." });
  });
  if (response.status === 401 && (await keys.ask())) return request(path, init, keys);
  return response;
}

async function sendPolitely(attempt, most, signal, onWait) {
  for (let tries = 1; ; tries += 1) {
    const response = await attempt();
    if (response.ok) return response;
    const later = [429, 503].includes(response.status) && response.headers.has("Retry-After");
    if (!later || tries === most) throw await problemOf(response);
    const seconds = Number(response.headers.get("Retry-After")) || DEFAULT_WAIT;
    onWait(seconds);
    await pause(seconds * 1000, signal).finally(() => onWait(null));
  }
}

async function problemOf(response) {
  const body = await response.json().catch(() => ({}));
  const fallback = { title: `The service answered ${response.status}`, status: response.status };
  return new Problem({ ...fallback, ...(typeof body === "object" ? body : {}) });
}

/** Wait, or reject as soon as the signal aborts. */
export function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => { clearTimeout(timer); reject(signal.reason); }, { once: true });
  });
}

/** Return [stage, milliseconds] of each entry of Server-Timing. */
function serverTiming(response) {
  const entries = (response.headers.get("Server-Timing") ?? "").split(",");
  return entries.map((entry) => /^\s*([\w-]+)\s*;.*dur=([\d.]+)/.exec(entry)).filter(Boolean)
    .map(([, stage, milliseconds]) => [stage, Number(milliseconds)]);
}

async function* lines(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    const parts = (rest + read.value).split("\n");
    rest = parts.pop();
    yield* parts.filter(Boolean);
  }
  if (rest) yield rest;
}
