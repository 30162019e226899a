//! The conformance suite of isosocket, run on every target.
