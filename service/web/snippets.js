// Code that makes the result that is shown, for three languages, and for all pictures of a folder. Each takes the address of the endpoint, the name of the
// uploaded file, the options that differ from their defaults, the name of the result, and whether a key is needed.

const KEY = "COLORCNN_API_KEY";

/** Return a command for a shell. */
export function curl({ url, file, options, result, key }) {
  const header = key ? [`-H "Authorization: Bearer $${KEY}"`] : [];
  const fields = options.map(([name, value]) => `${/^[\w.,#-]*$/.test(value) ? "-F" : "--form-string"} ${shell(`${name}=${value}`)}`);
  const parts = [`curl --fail-with-body`, ...header, `-F ${shell(`file=@${curlFile(file)}`)}`, ...fields, shell(url), `-o ${shell(asPath(result))}`];
  return `${parts.join(" \\\n  ")}\n`;
}

/** Return a script for Python with httpx. */
export function python({ url, file, options, result, key }) {
  const data = options.length ? `    data={${options.map(([name, value]) => `${py(name)}: ${py(value)}`).join(", ")}},\n` : "";
  const headers = key ? `    headers={"Authorization": "Bearer " + os.environ["${KEY}"]},\n` : "";
  return `${key ? "import os\n\n" : ""}import httpx

with open(${py(file)}, "rb") as picture:
    response = httpx.post(
        ${py(url)},
        files={"file": picture},
${(data + headers).replace(/^ {4}/gm, "        ")}        timeout=150,
    )
response.raise_for_status()
with open(${py(result)}, "wb") as png:
    png.write(response.content)
`;
}

/** Return a module for Node 20 or newer; save it as .mjs. */
export function javascript({ url, file, options, result, key }) {
  const fields = options.map(([name, value]) => `form.append(${js(name)}, ${js(value)});\n`).join("");
  const headers = key ? `, headers: { Authorization: \`Bearer \${process.env.${KEY}}\` }` : "";
  return `import { openAsBlob } from "node:fs";
import { writeFile } from "node:fs/promises";

const form = new FormData();
form.append("file", await openAsBlob(${js(file)}), ${js(file)});
${fields}const response = await fetch(${js(url)}, { method: "POST", body: form${headers} });
if (!response.ok) throw new Error(await response.text());
await writeFile(${js(result)}, Buffer.from(await response.arrayBuffer()));
`;
}

/** Return a command that does the same for a folder of pictures; see docs/clients.md. */
export function folder({ url, options, key }) {
  const service = `--server ${shell(url.replace(/\/quantize$/, ""))}`;
  const flags = options.map(([name, value]) => ["true", "false"].includes(value) ? flag(name, value) : `--${dashes(name)} ${shell(value)}`);
  const parts = ["colorcnn quantize", service, ...flags, "--recursive", "--out-dir few-colors", "FOLDER"];
  return `${key ? `# The key is in the variable ${KEY}.\n` : ""}${parts.join(" \\\n  ")}\n`;
}

const dashes = (name) => name.replaceAll("_", "-");

const flag = (name, value) => (value === "true" ? `--${dashes(name)}` : `--no-${dashes(name)}`);

/** Quote a word for a shell. */
const shell = (text) => (/^[\w./:@=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const asPath = (name) => (name.startsWith("-") ? `./${name}` : name);

/** Quote a file name for -F, where `;` and `,` would end it. */
const curlFile = (name) => (/[;,"\\]/.test(name) ? `"${name.replace(/[\\"]/g, "\\$&")}"` : name);

const js = (text) => JSON.stringify(text);

/** JSON strings are Python strings, but for characters beyond 16 bits, which JSON leaves as they are. */
const py = (text) => JSON.stringify(text);
