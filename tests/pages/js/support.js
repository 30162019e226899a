// Before the page's program: counts what it leaves behind, and notes what goes wrong.
// In a page it is a classic script; Node imports it for its effects.

{
  const { setTimeout: after, clearTimeout: cancel, WebSocket: Native } = globalThis;

  const timers = new Set();
  let longest = 0;
  globalThis.setTimeout = (task, delay = 0, ...rest) => {
    const timer = after((...given) => {
      timers.delete(timer);
      task(...given);
    }, Math.max(delay, longest), ...rest);
    timers.add(timer);
    return timer;
  };
  globalThis.clearTimeout = (timer) => {
    timers.delete(timer);
    cancel(timer);
  };

  // No timer that begins from now on rings.
  globalThis.stopTimers = () => {
    longest = 2 ** 31 - 1;
  };

  // Listeners that a socket still has, and sockets that have not ended.
  const sockets = [];
  const HANDLERS = ["onopen", "onmessage", "onerror", "onclose"];
  globalThis.watchSockets = (Class) =>
    class WebSocket extends Class {
      constructor(...given) {
        super(...given);
        sockets.push(this);
      }
    };
  if (Native) globalThis.WebSocket = watchSockets(Native);
  // For a page with so many sockets that what is kept of them counts.
  globalThis.watchNoSockets = () => {
    globalThis.WebSocket = Native;
  };

  // What is left, as one line: `0 timers, 0 listeners, 0 sockets` if nothing is.
  globalThis.left = () => {
    const listeners = sockets.flatMap((it) => HANDLERS.filter((name) => it[name])).length;
    const live = sockets.filter((it) => it.readyState !== 3).length;
    return `${timers.size} timers, ${listeners} listeners, ${live} sockets`;
  };

  // What nobody caught, and what was written to the console.
  globalThis.problems = [];
  globalThis.shown = [];
  const note = (problem) => problems.push(String(problem?.message ?? problem));
  globalThis.addEventListener?.("error", (event) => note(event.message));
  globalThis.addEventListener?.("unhandledrejection", (event) => note(event.reason));
  const show = console.error;
  console.error = (...words) => {
    shown.push(String(words[0]?.message ?? words[0]));
    show.apply(console, words);
  };

  globalThis.throwOnPurpose = () => {
    throw new Error("thrown on purpose");
  };

  globalThis.ran = 0;
  globalThis.futureRan = () => {
    ran += 1;
  };

  // Waits for a fact. Whoever calls has the deadline. The program calls `eventCame` for
  // each event of a client: where a page is hidden, a timer may take a second.
  const waiting = new Set();
  globalThis.eventCame = () => {
    for (const look of waiting) look();
  };
  globalThis.until = (fact) =>
    new Promise((resolve, reject) => {
      let timer;
      const end = (settle, value) => {
        waiting.delete(look);
        settle(value);
      };
      const look = () => {
        cancel(timer);
        try {
          if (fact()) return end(resolve);
        } catch (error) {
          return end(reject, error);
        }
        timer = after(look, 5);
      };
      waiting.add(look);
      look();
    });

  // Goes on in a task of the page's own.
  globalThis.pageTask = () =>
    new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage("go on");
    });

  // Opens, gets one echo and closes; frees the client. What it saw.
  globalThis.talk = async (client) => {
    await until(() => client.trace() !== "");
    client.send("hello");
    await until(() => /text|close/.test(client.trace()));
    client.close();
    await until(() => client.trace().includes("close("));
    const trace = client.trace();
    client.free();
    return trace;
  };
}
