// The floor: what a page does without any crate.

export function open(url) {
    return new Promise((resolve, reject) => {
        const socket = new WebSocket(url);
        socket.binaryType = "arraybuffer";
        socket.onopen = () => resolve(new Socket(socket));
        socket.onerror = () => reject(new Error("it never opened"));
    });
}

class Socket {
    constructor(socket) {
        this.socket = socket;
    }

    ping(count, size, text) {
        const payload = make(size, text);
        return this.run(count, size, payload, (socket) => socket.send(payload));
    }

    send(count, size, text) {
        const payload = make(size, text);
        return this.run(1, 1, null, (socket) => {
            socket.send(numbers(count));
            for (let i = 0; i < count; i++) socket.send(payload);
        });
    }

    receive(count, size) {
        return this.run(count, size, null, (socket) => socket.send(numbers(count, size)));
    }

    run(count, size, answer, begin) {
        const socket = this.socket;
        return new Promise((resolve, reject) => {
            let left = count;
            socket.onmessage = ({ data }) => {
                const length = typeof data === "string" ? data.length : data.byteLength;
                if (--left === 0) resolve();
                else if (length !== size) reject(new Error(`${length} bytes came`));
                else if (answer !== null) socket.send(answer);
            };
            begin(socket);
        });
    }

    free() {
        this.socket.onmessage = null;
        this.socket.close();
    }
}

function make(size, text) {
    return text ? "x".repeat(size) : new Uint8Array(size).fill(120);
}

function numbers(...values) {
    return new BigUint64Array(values.map(BigInt));
}
