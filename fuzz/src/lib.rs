//! Fuzz targets of isosocket. Each is a function that takes any bytes, and panics if what it
//! checks does not hold.
//!
//! Most compare the product with a second implementation that shares no code with it.

pub mod frames;
pub mod inflate;
pub mod input;
pub mod reference;
pub mod targets;
pub mod world;
