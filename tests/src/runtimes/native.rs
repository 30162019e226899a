//! The executors of native programs: tokio with many threads and with one,
//! smol, the one of the futures crate, and none but a blocked thread.

use std::future::Future;
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use futures::executor::ThreadPool;
use futures::task::SpawnExt;

use crate::runtimes::Runtime;

/// Mounts every body on one executor, whose way to run a future is given.
macro_rules! mount {
    ($name:ident, $runtime:ty, $block_on:expr) => {
        mod $name {
            use super::*;
            use crate::runtimes;

            #[test]
            fn one_socket_in_three_tasks() {
                $block_on(runtimes::check(runtimes::one_socket_in_three_tasks::<
                    $runtime,
                >()));
            }

            #[test]
            fn a_timeout_loses_nothing() {
                $block_on(runtimes::check(
                    runtimes::a_timeout_loses_nothing::<$runtime>(),
                ));
            }

            #[test]
            fn a_task_that_is_aborted_closes_its_socket() {
                $block_on(runtimes::check(
                    runtimes::a_task_that_is_aborted_closes_its_socket::<$runtime>(),
                ));
            }
        }
    };
}

mount!(tokio_with_threads, Tokio, |body| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(2).enable_time().build();
    runtime.expect("tokio starts").block_on(body);
});
mount!(tokio_on_one_thread, Tokio, |body| {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().build();
    runtime.expect("tokio starts").block_on(body);
});
mount!(smol_executor, Smol, smol::block_on);
mount!(futures_executor, Pool, futures::executor::block_on);
mount!(pollster_executor, Threads, pollster::block_on);

struct Tokio;

impl Runtime for Tokio {
    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        let task = tokio::spawn(task);
        async { task.await.expect("the task does not panic") }
    }

    async fn timeout<F: Future>(milliseconds: u32, future: F) -> Option<F::Output> {
        let limit = Duration::from_millis(milliseconds.into());
        tokio::time::timeout(limit, future).await.ok()
    }
}

struct Smol;

impl Runtime for Smol {
    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        smol::spawn(task)
    }

    async fn timeout<F: Future>(milliseconds: u32, future: F) -> Option<F::Output> {
        let limit = Duration::from_millis(milliseconds.into());
        let output = async { Some(future.await) };
        let late = async {
            smol::Timer::after(limit).await;
            None
        };
        smol::future::or(output, late).await
    }
}

/// The futures crate's pool; it has no timers.
struct Pool;

impl Runtime for Pool {
    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        static POOL: LazyLock<ThreadPool> =
            LazyLock::new(|| ThreadPool::new().expect("there is room for threads"));
        POOL.spawn_with_handle(task).expect("the pool stays")
    }
}

/// Without an executor: a thread for each task.
struct Threads;

impl Runtime for Threads {
    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T> {
        let (finish, finished) = oneshot::channel();
        thread::spawn(|| finish.send(pollster::block_on(task)).is_ok());
        async { finished.await.expect("the task does not panic") }
    }
}
