// In Node, with --expose-gc: `node.mjs [FILTER]`, in the folder of the bound program.

import { readFile } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { drive } from "./drive.mjs";

const startWorker = (start) =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL("worker.mjs", import.meta.url));
    worker.once("message", () => resolve(worker));
    // A worker that panics ends the run: its task never answers.
    worker.on("error", (error) => {
      console.error(error);
      process.exit(1);
    });
    worker.postMessage(start);
  });

const good = await drive({
  source: () => readFile(new URL("program_bg.wasm", import.meta.url)),
  startWorker,
  print: console.log,
  filter: process.argv[2],
});
process.exit(good ? 0 : 1);
