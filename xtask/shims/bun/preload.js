Object.defineProperty(globalThis, "self", { value: undefined, configurable: true, writable: true });
