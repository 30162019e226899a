// Starts the module in this thread and in a worker that shares its memory, and
// runs the cases here. What differs between hosts is its arguments.

import init, * as program from "./program.js";

// Every socket that is made here, for as long as the collector leaves it.
const sockets = [];
const Native = globalThis.WebSocket;
globalThis.WebSocket = class WebSocket extends Native {
  constructor(...args) {
    super(...args);
    sockets.push(new WeakRef(this));
  }
};

// The collector frees what was reached in the current job only after it, and
// some hosts hold a closed socket for a moment longer.
globalThis.liveSockets = async () => {
  let live = sockets.length;
  for (let round = 0; round < 20 && live > 0; round++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    globalThis.gc();
    live = sockets.filter((socket) => socket.deref() !== undefined).length;
  }
  return live;
};

export async function drive({ source, startWorker, print, filter }) {
  const module = await WebAssembly.compile(await source());
  await init({ module_or_path: module });
  const worker = await startWorker({ module, memory: program.shared_memory() });
  globalThis.postTask = () => worker.postMessage("task");
  let second, before;
  const lists = async () => {
    const { held, pending } = await navigator.locks.query();
    return [held, pending].map((list) => list.map((lock) => lock.name));
  };
  globalThis.startSecond = async () => {
    before = new Set((await lists()).flat());
    second = await startWorker({ module, memory: program.shared_memory() });
  };
  globalThis.postSecond = () => second.postMessage("task");
  // Not before it holds its lock, for which so many other threads wait. At once if that is 0.
  globalThis.endSecond = async (watchers) => {
    while (watchers > 0) {
      const [held, pending] = await lists();
      const waiting = (name) => pending.filter((it) => it === name).length;
      // Other threads may have got locks of their own meanwhile.
      if (held.some((name) => !before.has(name) && waiting(name) >= watchers)) break;
    }
    second.terminate();
  };
  // The second worker asks for its lock only after this thread has got it.
  let overtook, paused;
  const { setTimeout: after } = globalThis;
  globalThis.overtakeSecond = () => {
    second.postMessage("hold back");
    // The pause before the second look lasts until the second worker has asked, however busy
    // the machine is.
    const asked = async () => {
      while (!(await lists())[0].some((name) => !before.has(name))) {}
    };
    paused = false;
    globalThis.setTimeout = (task, delay, ...rest) => {
      if (delay < 1000) return after(task, delay, ...rest);
      paused = true;
      asked().then(task);
    };
    const { locks } = navigator;
    overtook = new Promise((resolve) => {
      const request = (...given) => {
        const over = locks.request(...given);
        over.then(resolve);
        return over;
      };
      const query = () => locks.query();
      Object.defineProperty(navigator, "locks", { value: { request, query }, configurable: true });
    });
  };
  // Until this thread waits for the lock once more, which the second one has by then.
  globalThis.secondLook = async () => {
    await overtook;
    second.postMessage("go on");
    delete navigator.locks;
    const start = performance.now();
    while (performance.now() - start < 10_000) {
      const [held, pending] = await lists();
      if (held.some((name) => !before.has(name) && pending.includes(name))) {
        globalThis.setTimeout = after;
        if (paused) return;
        throw new Error("there was no pause of a second");
      }
    }
    throw new Error("there is no second look");
  };
  // The next requests of this thread are refused. Told once one was.
  let refused;
  globalThis.refuseLocks = (throws) => {
    const { locks } = navigator;
    refused = new Promise((resolve) => {
      const request = () => {
        // Its own promises have settled by then.
        setTimeout(resolve);
        if (throws) throw new Error("refused");
        return Promise.reject(new Error("refused"));
      };
      const query = () => locks.query();
      Object.defineProperty(navigator, "locks", { value: { request, query }, configurable: true });
    });
  };
  globalThis.refusedLocks = async () => {
    await refused;
    delete navigator.locks;
  };
  // Until no lock is held that was not there before the second worker.
  globalThis.secondIsFree = async () => {
    while ((await lists())[0].some((name) => !before.has(name))) {}
  };
  globalThis.hasLocks = () => globalThis.navigator?.locks !== undefined;
  let [passed, failed] = [0, 0];
  for (const [index, name] of program.names().entries()) {
    if (!name.includes(filter ?? "")) continue;
    try {
      const seen = await program.run_case(index);
      passed += 1;
      print(`test ${name} ... ok`);
      print(`    ${seen}`);
    } catch (error) {
      failed += 1;
      print(`test ${name} ... FAILED`);
      print(`    ${error?.message ?? error}`);
    }
  }
  const word = failed === 0 ? "ok" : "FAILED";
  print(`test result: ${word}. ${passed} passed; ${failed} failed`);
  return failed === 0;
}
