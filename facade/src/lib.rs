//! One WebSocket for every target: the browser's WebSocket API, natively and on the web.
