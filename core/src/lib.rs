//! The platform-free half of isosocket: events, the Bind trait, and every ordering rule.
