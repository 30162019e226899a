//! The browser backend of isosocket, on web-sys.
