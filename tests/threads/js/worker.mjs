// The other thread: the same module on the same memory. It answers once when it
// runs, and then does a task for each message.

import { initSync, run_task } from "./program.js";

const port = globalThis.self ?? (await import("node:worker_threads")).parentPort;
const listen = (listener) =>
  port.addEventListener
    ? port.addEventListener("message", (event) => listener(event.data))
    : port.on("message", listener);

listen((message) => {
  if (message === "task") return run_task();
  initSync(message);
  port.postMessage("ready");
});
