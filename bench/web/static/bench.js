// Drives all clients, one like the other: `cargo xtask bench web` calls
// `list()` and `load(ids)`, then `measure(step, round)` for each, then `memory()`.
//
// Invariant: each client has an instance of the wasm program, a copy of the
// glue and a mock of its own, so that none finds warm or spoilt what another
// used; and in each round all take turns.

import * as raw from "./raw.js";

const FLOOR = "raw";

// A batch grows until it takes this long, in milliseconds: browsers blur their
// clocks, some to a millisecond.
const BATCH = 20;

// No batch has more messages, nor, with a network, more payload than a socket
// may well buffer.
const MOST = 4_000_000;
const MOST_BYTES = 16 << 20;

const PATIENCE = 20_000;

const realWebSocket = globalThis.WebSocket;
const contestants = [];

async function load(id) {
    const { Mock } = await import(`./mock.js?${id}`);
    if (id === FLOOR) {
        return { id, open: raw.open, memory: () => 0, Mock, counts: {} };
    }
    const glue = await import(`./program.js?${id}`);
    await glue.default({ module_or_path: await program });
    return {
        id,
        open: (url) => glue.open(id, url),
        memory: glue.memory_size,
        Mock,
        counts: {},
    };
}

const program = fetch("program_bg.wasm").then(WebAssembly.compileStreaming);

// Which clients there are.
async function list() {
    const glue = await import("./program.js?list");
    await glue.default({ module_or_path: await program });
    const all = glue.clients().split("\n").map((line) => {
        const at = line.indexOf(" ");
        return { id: line.slice(0, at), name: line.slice(at + 1) };
    });
    return [{ id: FLOOR, name: "raw JavaScript" }, ...all];
}

// Loads clients; how much memory each has.
async function loadAll(ids) {
    for (const id of ids) contestants.push(await load(id));
    return memory();
}

function memory() {
    return Object.fromEntries(contestants.map((one) => [one.id, one.memory()]));
}

// Measures one round of a step in all clients: { id: nanoseconds per message },
// or why there is no figure. `step`: { id, task, size, text, mock, server,
// milliseconds }.
async function measure(step, round) {
    const results = {};
    const { length } = contestants;
    for (let i = 0; i < length; i++) {
        // Nobody is the first in each round.
        const one = contestants[(i + round) % length];
        results[one.id] = await turn(one, step, round);
    }
    return results;
}

async function turn(one, step, round) {
    // Nobody pays for what another left behind.
    globalThis.gc?.();
    const path = step.task === "ping" ? "echo"
        : step.task === "send" ? "swallow"
        : step.text ? "blast-text" : "blast";
    globalThis.WebSocket = step.mock ? one.Mock : realWebSocket;
    try {
        const socket = await patience(one.open(`ws://${step.server}/${path}`));
        const batch = async (count) => {
            if (step.mock) one.Mock.expect(step.task, count, step.size, step.text);
            const begin = performance.now();
            await patience(socket[step.task](count, step.size, step.text));
            return performance.now() - begin;
        };
        const samples = await sample(batch, one.counts, step, round);
        socket.free();
        return median(samples);
    } catch (error) {
        return String(error);
    } finally {
        globalThis.WebSocket = realWebSocket;
    }
}

async function sample(batch, counts, step, round) {
    const most = step.mock ? MOST : Math.max(4, Math.min(MOST, MOST_BYTES / step.size | 0));
    let count = counts[step.id] ?? 1;
    let measured = 0;
    if (round === 0) {
        // Until the batch is long enough, and the compilers are done.
        for (let spent = 0; ;) {
            const took = await batch(count);
            spent += took;
            if (took < BATCH && count < most) {
                count = Math.min(most, Math.max(count * 2, Math.floor(count * BATCH / (took + 1))));
            } else if (spent > 4 * BATCH) {
                break;
            }
        }
        counts[step.id] = count;
    } else {
        await batch(Math.ceil(count / 4));
    }
    const samples = [];
    while (measured < step.milliseconds || samples.length < 3) {
        const took = await batch(count);
        measured += took;
        samples.push(took * 1e6 / count);
    }
    return samples;
}

function patience(promise) {
    let timer;
    const limit = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error("out of patience")), PATIENCE);
    });
    return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

function median(values) {
    values.sort((a, b) => a - b);
    const middle = values.length >> 1;
    return values.length % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

globalThis.bench = { list, load: loadAll, measure, memory };
