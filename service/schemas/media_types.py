"""Media types of responses."""

PNG = "image/png"
BPG = "image/bpg"
JSON = "application/json"
HTML = "text/html"
NDJSON = "application/x-ndjson"
