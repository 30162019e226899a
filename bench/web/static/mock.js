// A WebSocket without a network: it does at once what the bench server does,
// so that what is measured is the client's own cost.
//
// Invariant: it does the least for each message, and the same for all clients.
// Between two messages there is a microtask, as between a browser's events.

const ANSWER = new Uint8Array([33]).buffer;

// One of each size, as JavaScript would be measured too if they were many.
const buffers = new Map();
const strings = new Map();

function kept(map, size, make) {
    if (!map.has(size)) map.set(size, make(size));
    return map.get(size);
}

// What `repeat` makes is a tree of ropes until somebody reads it.
function flat(size) {
    return new TextDecoder().decode(new Uint8Array(size).fill(120));
}

let plan;

export class Mock {
    static CONNECTING = 0;
    static OPEN = 1;
    static CLOSING = 2;
    static CLOSED = 3;

    // What the next requests are for: some clients ask by a Blob, which cannot
    // be read at once.
    static expect(task, count, size, text) {
        const data = text ? kept(strings, size, flat) : kept(buffers, size, (n) => new ArrayBuffer(n));
        plan = { task, count, data };
    }

    constructor(url) {
        this.url = url;
        this.readyState = 0;
        this.bufferedAmount = 0;
        this.protocol = "";
        this.extensions = "";
        this.binaryType = "blob";
        this.onopen = this.onmessage = this.onerror = this.onclose = null;
        this.listener = null;
        // Messages until there is something to do; the first is the request.
        this.left = 1;
        Promise.resolve().then(() => this.open());
    }

    open() {
        this.readyState = 1;
        this.fire("open", this.onopen, { type: "open" });
    }

    send(_data) {
        if (--this.left === 0) this.act();
    }

    act() {
        const { task, count, data } = plan;
        if (task === "receive") {
            this.left = 1;
            this.deliver(data, count);
        } else if (this.swallowing) {
            this.swallowing = false;
            this.left = 1;
            this.deliver(ANSWER, 1);
        } else {
            this.swallowing = true;
            this.left = count;
        }
    }

    async deliver(data, count) {
        await null;
        for (let i = 0; i < count; i++) {
            const event = { type: "message", data };
            if (this.onmessage !== null) this.onmessage(event);
            else this.listener(event);
            await null;
        }
    }

    fire(type, handler, event) {
        handler?.(event);
        this.others?.[type]?.(event);
    }

    addEventListener(type, listener) {
        if (type === "message") this.listener = listener;
        else (this.others ??= {})[type] = listener;
    }

    removeEventListener(type) {
        if (type === "message") this.listener = null;
        else delete this.others?.[type];
    }

    dispatchEvent() {
        return true;
    }

    close(code = 1005, reason = "") {
        if (this.readyState >= 2) return;
        this.readyState = 3;
        Promise.resolve().then(() => {
            this.fire("close", this.onclose, { type: "close", code, reason, wasClean: true });
        });
    }
}
