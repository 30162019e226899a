//! The workloads for clients that are awaited.
//!
//! Invariant: the same steps as in `push`.

use std::cell::RefCell;
use std::future::Future;
use std::marker::PhantomData;
use std::rc::Rc;

use js_sys::Promise;
use wasm_bindgen::prelude::*;

use crate::payload::Payload;
use crate::{Drive, Outcome, Socket, to_js};

/// A client's socket, as far as the workloads go.
pub trait Pull: Sized + 'static {
    async fn open(url: &str) -> Outcome<Self>;

    /// Sends one message in the way the crate calls sending.
    async fn send(&mut self, payload: &Payload) -> Outcome<()>;

    /// The length of the next message.
    async fn receive(&mut self) -> Outcome<usize>;
}

/// Runs a future that the client's socket lives in.
pub trait Executor: 'static {
    fn spawn(future: impl Future<Output = ()> + 'static);
}

/// What all crates but ours are used with.
pub struct WasmBindgen;

impl Executor for WasmBindgen {
    fn spawn(future: impl Future<Output = ()> + 'static) {
        wasm_bindgen_futures::spawn_local(future);
    }
}

/// Ours.
pub struct Run;

impl Executor for Run {
    fn spawn(future: impl Future<Output = ()> + 'static) {
        isosocket::run(future);
    }
}

pub fn open<S: Pull, E: Executor>(url: String) -> Promise {
    promise::<E>(async move {
        let socket = Driver::<S, E> {
            socket: Rc::new(RefCell::new(Some(S::open(&url).await?))),
            executor: PhantomData,
        };
        Ok(Socket(Box::new(socket)).into())
    })
}

struct Driver<S, E> {
    /// Not here while a workload has it.
    socket: Rc<RefCell<Option<S>>>,
    executor: PhantomData<E>,
}

impl<S: Pull, E: Executor> Driver<S, E> {
    fn run(&self, workload: impl AsyncFnOnce(&mut S) -> Outcome<()> + 'static) -> Promise {
        let home = self.socket.clone();
        promise::<E>(async move {
            let mut socket = home.take().ok_or("the socket is in use")?;
            workload(&mut socket).await?;
            home.replace(Some(socket));
            Ok(JsValue::UNDEFINED)
        })
    }
}

impl<S: Pull, E: Executor> Drive for Driver<S, E> {
    fn ping(&self, count: u32, size: u32, text: bool) -> Promise {
        self.run(async move |socket: &mut S| {
            let payload = Payload::new(size, text);
            for _ in 0..count {
                socket.send(&payload).await?;
                expect(socket.receive().await?, size)?;
            }
            Ok(())
        })
    }

    fn send(&self, count: u32, size: u32, text: bool) -> Promise {
        self.run(async move |socket: &mut S| {
            let payload = Payload::new(size, text);
            socket.send(&Payload::swallow(count)).await?;
            for _ in 0..count {
                socket.send(&payload).await?;
            }
            expect(socket.receive().await?, 1)
        })
    }

    fn receive(&self, count: u32, size: u32) -> Promise {
        self.run(async move |socket: &mut S| {
            socket.send(&Payload::blast(count, size)).await?;
            for _ in 0..count {
                expect(socket.receive().await?, size)?;
            }
            Ok(())
        })
    }
}

fn promise<E: Executor>(future: impl Future<Output = Outcome<JsValue>> + 'static) -> Promise {
    let mut future = Some(future);
    Promise::new(&mut |resolve, reject| {
        let Some(future) = future.take() else { return };
        E::spawn(async move {
            // A promise's own functions do not throw.
            let _ = match future.await {
                Ok(value) => resolve.call1(&JsValue::UNDEFINED, &value),
                Err(error) => reject.call1(&JsValue::UNDEFINED, &to_js(error)),
            };
        });
    })
}

fn expect(length: usize, size: u32) -> Outcome<()> {
    match length == size as usize {
        true => Ok(()),
        false => Err(format!("a message of {length} bytes came, not of {size}").into()),
    }
}
