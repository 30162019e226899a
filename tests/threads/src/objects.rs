//! JavaScript objects that become sockets, in a program with threads.

use isosocket::NewError;
use isosocket_tests::probe::url;
use isosocket_tests::suite::Seen;
use isosocket_web::from_web_sys;

use crate::cases::{ensure, same, text};
use crate::worker::{elsewhere, uncollected};

/// The builder of a socket that takes over a JavaScript object goes elsewhere.
pub async fn an_object_is_taken_over_on_its_own_thread_only() -> Seen {
    let before = uncollected().await?;
    for connects in [true, false] {
        let object =
            web_sys::WebSocket::new(&url("/echo")).map_err(|error| format!("{error:?}"))?;
        let builder = from_web_sys(object.clone());
        elsewhere(move || async move {
            if !connects {
                drop(builder);
                return Ok(());
            }
            let refused = builder.connect();
            let is_refused = matches!(refused, Err(NewError::Option(_)));
            ensure(is_refused, format!("{refused:?}"))
        })
        .await?;
        // It is still the program's.
        let socket = from_web_sys(object).open().await.map_err(text)?;
        socket.close();
        socket.closed().await;
    }
    same(uncollected().await?, before, "JavaScript sockets")?;
    Ok("refused, and freed".into())
}
