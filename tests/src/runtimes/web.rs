//! The executors of web programs: isosocket's own, and that of
//! wasm-bindgen-futures. Both run on the host's event loop.

use std::future::Future;

use futures::channel::oneshot;
use wasm_bindgen_futures::spawn_local;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::runtimes::Runtime;

/// Mounts every body on one executor, whose way to run a future is given.
macro_rules! mount {
    ($name:ident, $runtime:ty, $run:expr) => {
        mod $name {
            use super::*;
            use crate::runtimes;

            #[wasm_bindgen_test]
            async fn one_socket_in_three_tasks() {
                let body = runtimes::one_socket_in_three_tasks::<$runtime>();
                runtimes::check(on($run, body)).await;
            }

            #[wasm_bindgen_test]
            async fn a_timeout_loses_nothing() {
                let body = runtimes::a_timeout_loses_nothing::<$runtime>();
                runtimes::check(on($run, body)).await;
            }

            #[wasm_bindgen_test]
            async fn a_task_that_is_aborted_closes_its_socket() {
                let body = runtimes::a_task_that_is_aborted_closes_its_socket::<$runtime>();
                runtimes::check(on($run, body)).await;
            }
        }
    };
}

mount!(own, Own, isosocket::run);
mount!(wasm_bindgen, WasmBindgen, spawn_local);

/// A future of whichever type.
type Body = std::pin::Pin<Box<dyn Future<Output = ()>>>;

/// Hands a future to an executor at once, and gives its output. What it finds is
/// checked outside: a panic would end the executor's job, and nobody would hear.
fn on<T: 'static>(
    run: fn(Body),
    task: impl Future<Output = T> + 'static,
) -> impl Future<Output = T> {
    let (finish, finished) = oneshot::channel();
    run(Box::pin(async {
        let _ = finish.send(task.await);
    }));
    async { finished.await.expect("the task does not panic") }
}

struct Own;

impl Runtime for Own {
    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        on(isosocket::run, task)
    }
}

struct WasmBindgen;

impl Runtime for WasmBindgen {
    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        on(spawn_local, task)
    }
}
