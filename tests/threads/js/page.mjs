// In a page that is isolated, and so may share memory; its fragment is a filter.
// A page's own thread traps where it would wait for another.

import { drive } from "./drive.mjs";

const log = document.getElementById("log");
const print = (line) => log.append(`${line}\n`);
const stop = (problem) => print(`${problem}\ntest result: FAILED. The run did not end.`);

// What panics or traps ends the run: the case never answers.
addEventListener("error", (event) => stop(event.message));
addEventListener("unhandledrejection", (event) => stop(event.reason));

const startWorker = (start) =>
  new Promise((resolve) => {
    const worker = new Worker(new URL("worker.mjs", import.meta.url), { type: "module" });
    worker.addEventListener("message", () => resolve(worker), { once: true });
    worker.addEventListener("error", (event) => stop(event.message ?? "the worker failed"));
    worker.postMessage(start);
  });

drive({
  source: async () => (await fetch(new URL("program_bg.wasm", import.meta.url))).arrayBuffer(),
  startWorker,
  print,
  filter: decodeURIComponent(location.hash.slice(1)),
}).catch(stop);
