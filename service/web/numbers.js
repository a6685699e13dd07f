// Numbers as people read them.

/** Return bytes as text: 812 bytes, 10.3 kB, 2.41 MB. */
export function bytes(count) {
  if (count < 1000) return `${count} bytes`;
  const [value, unit] = count < 1e6 ? [count / 1e3, "kB"] : [count / 1e6, "MB"];
  return `${value.toPrecision(value < 1000 ? 3 : 4)} ${unit}`;
}

export const percent = (share) => `${Math.round(100 * share)} %`;

/** Return a share as text that never rounds to what it is not: 0 or 100 %. */
export const exactPercent = (share) => (share > 0.995 && share < 1 ? `${(Math.floor(1000 * share) / 10).toFixed(1)} %` : percent(share));

export const milliseconds = (value) => (value < 1000 ? `${Math.round(value)} ms` : `${(value / 1000).toFixed(1)} s`);

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
