//! Guides: one page for each way to use a socket, and one for each kind of target.
//!
//! They belong to this version of the crate, and their programs are compiled, and mostly
//! run, with its tests.
//!
//! | guide | for |
//! | --- | --- |
//! | [`callbacks`] | programs built of handlers, as pages are |
//! | [`streams`] | async code, on any runtime |
//! | [`frame_loops`] | games and immediate-mode interfaces |
//! | [`reconnecting`] | sockets that connect again |
//! | [`testing`] | tests without a network |
//! | [`native`] | desktops and servers |
//! | [`web`] | pages and workers |
//! | [`errors`] | why a connection failed, on each target |
//! | [`how_do_i`] | short answers, from tokens to wasm threads |
//! | [`migrating`] | those who come from another crate: programs, before and after |

// The text of each guide is a file of its own, which can also be read in the repository.
// Its links to other guides are references, defined in the file by the other file's name.
// Here a definition stands before the text, and the first one counts. So the same link
// leads to the module.

#[doc = "[guide-reconnecting]: crate::guide::reconnecting"]
#[doc = "[guide-web]: crate::guide::web"]
#[doc = include_str!("../guide/callbacks.md")]
pub mod callbacks {}

#[doc = "[guide-native-without-async]: crate::guide::native#without-async"]
#[doc = include_str!("../guide/streams.md")]
pub mod streams {}

#[doc = "[guide-reconnecting]: crate::guide::reconnecting"]
#[doc = include_str!("../guide/frame-loops.md")]
pub mod frame_loops {}

#[doc = "[guide-testing]: crate::guide::testing"]
#[doc = include_str!("../guide/reconnecting.md")]
pub mod reconnecting {}

// The programs of some guides need features to compile.

#[cfg_attr(
    any(not(doctest), feature = "mock"),
    doc = include_str!("../guide/testing.md")
)]
pub mod testing {}

#[doc = "[guide-errors]: crate::guide::errors#the-servers-reply"]
#[doc = "[guide-reconnecting-is-the-peer-alive]: crate::guide::reconnecting#is-the-peer-alive"]
#[cfg_attr(
    any(not(doctest), all(feature = "native", feature = "tls")),
    doc = include_str!("../guide/native.md")
)]
pub mod native {}

#[doc = "[guide-native]: crate::guide::native"]
#[doc = "[guide-reconnecting-waking-up]: crate::guide::reconnecting#waking-up"]
#[cfg_attr(
    any(not(doctest), all(feature = "native", feature = "web")),
    doc = include_str!("../guide/web.md")
)]
pub mod web {}

#[doc = "[guide-native-what-tls-refuses]: crate::guide::native#what-tls-refuses"]
#[doc = "[guide-web]: crate::guide::web"]
#[cfg_attr(
    any(not(doctest), feature = "native"),
    doc = include_str!("../guide/errors.md")
)]
pub mod errors {}

#[doc = "[guide-frame-loops]: crate::guide::frame_loops"]
#[doc = "[guide-native-whom-tls-trusts]: crate::guide::native#whom-tls-trusts"]
#[doc = "[guide-reconnecting]: crate::guide::reconnecting"]
#[doc = "[guide-reconnecting-is-the-peer-alive]: crate::guide::reconnecting#is-the-peer-alive"]
#[doc = "[guide-streams-on-a-runtime]: crate::guide::streams#on-a-runtime"]
#[doc = "[guide-testing]: crate::guide::testing"]
#[doc = "[guide-web]: crate::guide::web"]
#[doc = "[guide-web-object]: crate::guide::web#the-hosts-own-object"]
#[doc = "[guide-web-receive-limit]: crate::guide::web#a-peer-that-sends-faster-than-the-program-reads"]
#[cfg_attr(
    any(not(doctest), all(feature = "native", feature = "tls")),
    doc = include_str!("../guide/how-do-i.md")
)]
pub mod how_do_i {}

#[doc = "[guide-reconnecting]: crate::guide::reconnecting"]
#[doc = include_str!("../guide/migrating.md")]
pub mod migrating {}
