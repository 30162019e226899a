// In Node: stand-ins for WebSocket that programs are tested with, in the place of the
// host's own. `node standins.mjs MODULES PEER SITE CHROMIUM [FILTER]`: the folder of the
// packages, the peer's address, the pages' address, and a browser.

import "./support.js";
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import init, * as program from "./program.js";

const [modules, peer, site, chromium, filter = ""] = process.argv.slice(2);
const require = createRequire(pathToFileURL(`${modules}/`));
const bytes = await readFile(new URL("program_bg.wasm", import.meta.url));
await init({ module_or_path: bytes });

process.on("uncaughtException", (error) => problems.push(error.message));
process.on("unhandledRejection", (error) => problems.push(error?.message ?? error));

/** A case may take so many milliseconds. */
const LIMIT = 20_000;
const NOTHING = "0 timers, 0 listeners, 0 sockets";
const CLOSED = 'close(1005 "" clean)';
const url = (path) => `ws://${peer}${path}`;

/** Puts a class in the place of the host's. */
const stand = (Class) => (globalThis.WebSocket = watchSockets(Class));

/** Text and bytes there and back, and a close without a code: what the stand-in says then. */
const converse = async (client, closed = CLOSED) => {
  await until(() => client.trace() === "open");
  client.send("hello");
  await until(() => client.trace().includes('text("hello")'));
  // The memory that they lie in is used again at once, and moves.
  for (const value of [1, 2, 3]) client.send_bytes(value, 2000);
  program.grow(32 << 20);
  await until(() => client.payloads().split(" ").length === 3);
  assert.equal(client.payloads(), "1x2000 2x2000 3x2000");
  client.close();
  await ended(client, `open text("hello") binary[2000] binary[2000] binary[2000] ${closed}`);
};

/** The end, in these words, and that nothing is left. */
const ended = async (client, expected) => {
  await until(() => client.trace().includes("close("));
  assert.equal(client.trace(), expected);
  client.free();
  await until(() => left() === NOTHING);
  assert.deepEqual(problems, []);
};

/** A conversation and what a server does by itself, over the network. */
const overTheNetwork = (Class, closed, empty = CLOSED) => async () => {
  stand(Class());
  await converse(new program.Client(url("/echo")), closed);
  const closes = new program.Client(url("/close/4000/bye"));
  await ended(closes, 'open close(4000 "bye" clean)');
  const emptily = new program.Client(url("/close"));
  await ended(emptily, `open ${empty}`);
  const refused = new program.Client(url("/refuse/403"));
  await ended(refused, 'error close(1006 "" unclean)');
};

const cases = {
  ws: overTheNetwork(() => require("ws")),

  async ws_with_compression() {
    stand(require("ws"));
    await converse(new program.Client(url("/echo-deflate")));
  },

  // It gives a code and a reason of its own, and takes an empty Close frame for none.
  websocket: overTheNetwork(
    () => require("websocket").w3cwebsocket,
    'close(1000 "Normal connection closure" clean)',
    'close(1006 "Connection dropped by remote peer." unclean)',
  ),

  jsdom: overTheNetwork(() => {
    const { JSDOM } = require("jsdom");
    return new JSDOM("", { url: "http://localhost/" }).window.WebSocket;
  }),

  // It makes text of views, and sends buffers as they are: if they were not copied, the
  // memory of the program.
  mock_socket: () =>
    withMockSocket((socket) => {
      socket.on("message", (data) => socket.send(data.buffer ?? data));
    }, () => converse(new program.Client("ws://mock/"))),

  // It hands a Blob on as it is, whatever `binaryType` says.
  a_blob_of_mock_socket: () =>
    withMockSocket((socket) => {
      socket.on("message", () => {
        socket.send(new Blob([Uint8Array.of(1, 2)]));
        socket.send("after");
      });
    }, async () => {
      const client = new program.Client("ws://mock/");
      await until(() => client.trace() === "open");
      client.send("go");
      await until(() => client.trace().includes("after"));
      client.close();
      await ended(client, `open binary(0102) text("after") ${CLOSED}`);
    }),

  async msw() {
    await withMsw(({ client }) => {
      client.addEventListener("message", (event) => client.send(event.data));
    }, () => converse(new program.Client("ws://msw.test/"), 'close(1000 "" clean)'));
  },

  async views_and_blobs_of_msw() {
    await withMsw(({ client }) => {
      client.addEventListener("message", () => {
        client.send(new Blob([Uint8Array.of(1, 2)]));
        client.send(new Uint16Array([0x0403]));
        client.send(new DataView(Uint8Array.of(5, 6, 7).buffer, 1, 1));
        client.send("after");
      });
    }, async () => {
      const client = new program.Client("ws://msw.test/");
      await until(() => client.trace() === "open");
      client.send("go");
      await until(() => client.trace().includes("after"));
      client.close();
      const messages = 'binary(0102) binary(0304) binary(06) text("after")';
      await ended(client, `open ${messages} close(1000 "" clean)`);
    });
  },

  async msw_closes_without_a_code() {
    await withMsw(({ client }) => {
      client.addEventListener("message", () => client.close());
    }, async () => {
      const client = new program.Client("ws://msw.test/");
      await until(() => client.trace() === "open");
      client.send("go");
      await until(() => client.trace().includes("close("));
      const trace = client.trace();
      // Some versions say 1000 where no code was given.
      assert.ok(/^open close\((1000|1005) "" clean\)$/.test(trace), trace);
      await ended(client, trace);
    });
  },

  async playwright_routes_a_socket() {
    const { chromium: engine } = require("playwright-core");
    const browser = await engine.launch({ executablePath: chromium, args: ["--no-sandbox"] });
    try {
      const page = await browser.newPage();
      await page.routeWebSocket("ws://routed.test/echo", (socket) => {
        socket.onMessage((message) => socket.send(message));
      });
      await page.routeWebSocket("ws://routed.test/close", (socket) => {
        socket.onMessage(() => socket.close());
      });
      await page.goto(`http://${site}/index.html`);
      await page.waitForFunction(() => globalThis.program);
      const traces = await page.evaluate(async () => {
        const echoed = new program.Client("ws://routed.test/echo");
        await until(() => echoed.trace() === "open");
        echoed.send("hello");
        for (const value of [1, 2, 3]) echoed.send_bytes(value, 2000);
        program.grow(32 << 20);
        await until(() => echoed.payloads().split(" ").length === 3);
        const payloads = echoed.payloads();
        echoed.close();
        await until(() => echoed.trace().includes("close("));
        // Code 0, and clean: a Close frame without a code.
        const closed = new program.Client("ws://routed.test/close");
        await until(() => closed.trace() === "open");
        closed.send("go");
        await until(() => closed.trace().includes("close("));
        const seen = [payloads, echoed.trace(), closed.trace()];
        for (const client of [echoed, closed]) client.free();
        return [...seen, left(), problems.join()];
      });
      assert.deepEqual(traces, [
        "1x2000 2x2000 3x2000",
        `open text("hello") binary[2000] binary[2000] binary[2000] ${CLOSED}`,
        `open ${CLOSED}`,
        NOTHING,
        "",
      ]);
    } finally {
      await browser.close();
    }
  },
};

/** Runs with a server of mock-socket's. */
async function withMockSocket(onConnection, run) {
  const { Server, WebSocket } = require("mock-socket");
  stand(WebSocket);
  const server = new Server("ws://mock/");
  server.on("connection", onConnection);
  try {
    await run();
  } finally {
    server.stop();
  }
}

/** Runs with MSW's interceptor over the host's own class. */
async function withMsw(onConnection, run) {
  const { ws } = require("msw");
  const { setupServer } = require("msw/node");
  globalThis.WebSocket = hosts;
  const server = setupServer(ws.link("ws://msw.test/").addEventListener("connection", onConnection));
  server.listen();
  try {
    stand(globalThis.WebSocket);
    await run();
  } finally {
    globalThis.WebSocket = hosts;
    server.close();
  }
}

const hosts = globalThis.WebSocket;
let [passed, failed] = [0, 0];
for (const [name, run] of Object.entries(cases)) {
  if (!name.includes(filter)) continue;
  const late = sleep(LIMIT, undefined, { ref: false }).then(() => {
    throw new Error(`not done after ${LIMIT} ms: ${left()}`);
  });
  try {
    await Promise.race([run(), late]);
    passed += 1;
    console.log(`test standins::${name} ... ok`);
  } catch (error) {
    failed += 1;
    console.log(`test standins::${name} ... FAILED`);
    console.log(`    ${error.stack}`);
  }
}
const word = failed === 0 ? "ok" : "FAILED";
console.log(`test result: ${word}. ${passed} passed; ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
