// The other thread: the same module on the same memory. It answers once when it
// runs, and then does a task for each message.

import { initSync, run_task } from "./program.js";

const port = globalThis.self ?? (await import("node:worker_threads")).parentPort;
const listen = (listener) =>
  port.addEventListener
    ? port.addEventListener("message", (event) => listener(event.data))
    : port.on("message", listener);

// From now on this thread asks for no lock, until it is told to.
let goOn;
const holdBack = () => {
  const { locks } = navigator;
  const told = new Promise((resolve) => {
    goOn = resolve;
  });
  const request = async (...given) => {
    await told;
    return locks.request(...given);
  };
  Object.defineProperty(navigator, "locks", { value: { request }, configurable: true });
};

listen((message) => {
  if (message === "task") return run_task();
  if (message === "hold back") return holdBack();
  if (message === "go on") return goOn();
  initSync(message);
  port.postMessage("ready");
});
