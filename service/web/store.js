// A value that others watch: the options of the page.

/** Return a store around an object; `update` merges changes and tells every watcher that something differs. */
export function createStore(initial) {
  let value = Object.freeze({ ...initial });
  const watchers = new Set();
  return {
    get: () => value,
    update(changes) {
      const next = { ...value, ...changes };
      if (Object.keys(next).every((name) => next[name] === value[name])) return;
      value = Object.freeze(next);
      for (const watcher of watchers) watcher(value);
    },
    watch(watcher) {
      watchers.add(watcher);
      watcher(value);
    },
  };
}
