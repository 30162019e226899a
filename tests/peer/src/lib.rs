//! The scripted WebSocket peer that the conformance suite talks to.
