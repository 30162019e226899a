//! One connection's life in the event loop: dialling, opening handshake,
//! messages, closing handshake. It reports facts; core decides what the program
//! sees. No lock is held while it reports.

use std::io::{self, Read, Write};
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use isosocket_core::{CloseEvent, ErrorEvent, Link, Message, Options, Report, Turn};
use mio::event::Event;
use mio::net::TcpStream;
use url::Host;

use crate::codec::{Decoder, Item, Output, Violation};
use crate::engine::handshake::Handshake;
use crate::engine::tunnel::Tunnel;
use crate::event_loop::{Action, Context};
use crate::net::dial::{ATTEMPT_DELAY, Attempt, Dial};
use crate::net::prepare::{Preparation, prepare};
use crate::net::tls::Tls;
use crate::options::target::Target;
use crate::options::{KeepAlive, NativeOptions};
use crate::packer::Packer;
use crate::stream::Stream;
use crate::timers::{Deadlines, Timer};
use crate::{ENDED, Inner, Native};

/// How many bytes one socket may read before the others have their turn.
const READ_BUDGET: usize = 1 << 20;
/// How long a peer may hold TCP open after the closing handshake (S77).
const LINGER: Duration = Duration::from_secs(2);
/// How long a socket that nobody holds waits for its peer where the program set
/// no close timeout (S102).
const ABANDONED: Duration = Duration::from_secs(10);
/// A turn that takes longer than this holds up every other socket.
const SLOW_TURN: Duration = Duration::from_millis(50);

/// In place of a token: no slab has so many entries.
const NO_TOKEN: usize = usize::MAX;

/// What a connection needs of the loop next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing, until something happens.
    Wait,
    /// Another visit soon: there is more to read.
    Yield,
    /// Nothing ever.
    End,
}

#[derive(Debug)]
enum Phase {
    /// Resolving the name, and connecting.
    Dialling(Box<Dialling>),
    /// Asking a proxy for a tunnel.
    Tunnelling(Box<Tunnelling>),
    /// The opening handshake.
    Opening(Box<Opening>),
    /// Established, and until the connection has ended for the program.
    Open,
    /// Ended for the program: the last bytes are on their way.
    Ending,
}

/// What is needed until the connection is established.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) target: Target,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) options: Options,
    pub(crate) native: NativeOptions,
}

#[derive(Debug)]
struct Dialling {
    setup: Setup,
    /// Dropping it gives up what nobody waits for any more.
    preparation: Option<Preparation>,
    dial: Dial,
}

/// A tunnel through a proxy that is being opened.
#[derive(Debug)]
struct Tunnelling {
    setup: Setup,
    tunnel: Tunnel,
    tcp: TcpStream,
}

#[derive(Debug)]
struct Opening {
    handshake: Handshake,
    request: Vec<u8>,
}

/// Keep-alive, of a connection that has it. Boxed: few have.
#[derive(Debug)]
struct Heartbeat {
    keep_alive: KeepAlive,
    /// When the peer was last heard.
    last_heard: Option<Instant>,
    /// The peer owes an answer to a ping.
    pinged: bool,
}

impl Heartbeat {
    fn new(keep_alive: KeepAlive) -> Box<Self> {
        Box::new(Heartbeat {
            keep_alive,
            last_heard: None,
            pinged: false,
        })
    }
}

/// A connection, owned by the event loop.
#[derive(Debug)]
pub(crate) struct Connection {
    inner: Arc<Inner>,
    link: Option<Link<Native>>,
    phase: Phase,
    id: (usize, u64),
    /// Of its stream; [`NO_TOKEN`] before there is one.
    token: usize,
    stream: Option<Arc<Stream>>,
    decoder: Decoder,
    deadlines: Deadlines,
    close_timeout: Option<Duration>,
    receive_limit: usize,
    heartbeat: Option<Box<Heartbeat>>,
    /// Nothing can be written any more.
    broken: bool,
    /// The loop has told of the peer's end of stream, and will not again.
    read_closed: bool,
    /// A stream of the program is full, so nothing is read.
    paused: bool,
    /// The peer's Close frame has arrived: how the connection ends.
    peer_close: Option<Box<CloseEvent>>,
    /// What the outbox had still to write when the close timeout began.
    unwritten: usize,
}

impl Connection {
    pub(crate) fn new(inner: Arc<Inner>, link: Link<Native>, setup: Setup) -> Self {
        Connection {
            inner,
            link: Some(link),
            id: (usize::MAX, 0),
            token: NO_TOKEN,
            stream: None,
            decoder: Decoder::new(setup.options.max_message_size),
            deadlines: Deadlines::default(),
            close_timeout: setup.options.close_timeout,
            receive_limit: setup.native.receive_limit,
            heartbeat: setup.native.keep_alive.map(Heartbeat::new),
            broken: false,
            read_closed: false,
            paused: false,
            peer_close: None,
            unwritten: 0,
            phase: Phase::Dialling(Box::new(Dialling {
                setup,
                preparation: None,
                dial: Dial::default(),
            })),
        }
    }

    pub(crate) fn serial(&self) -> u64 {
        self.id.1
    }

    pub(crate) fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// Begins to connect, now that the loop has a slot for it.
    pub(crate) fn start(&mut self, context: &mut Context, id: (usize, u64)) -> Next {
        self.id = id;
        self.inner.set_key(id.0);
        let Phase::Dialling(dialling) = &mut self.phase else {
            return Next::Wait;
        };
        let target = &dialling.setup.target;
        if target.is_blocked() {
            let message = format!("port {} is blocked", target.port());
            return self.fail(io::Error::new(io::ErrorKind::PermissionDenied, message));
        }
        let timeout = dialling.setup.options.connect_timeout;
        if let Some(timeout) = timeout {
            self.set_deadline(context, Timer::Connect, timeout);
        }
        let Phase::Dialling(dialling) = &mut self.phase else {
            return Next::Wait;
        };
        let Setup { target, native, .. } = &dialling.setup;
        let (host, port) = match &native.proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (target.host(), target.port()),
        };
        let secure = target.is_secure();
        let address = match host {
            Host::Ipv4(address) => Some((address, port).into()),
            Host::Ipv6(address) => Some((address, port).into()),
            Host::Domain(_) => None,
        };
        match address {
            Some(address) if !secure => {
                dialling.dial.set_addresses(vec![address]);
                self.next_attempt(context)
            }
            _ => {
                let tls = secure.then_some(&native.tls);
                let inner = self.inner.clone();
                let answer = move |answer| inner.act(Action::Resolved(answer));
                dialling.preparation = Some(prepare(host, port, tls, answer));
                Next::Wait
            }
        }
    }

    pub(crate) fn act(&mut self, context: &mut Context, action: Action) -> Next {
        match action {
            Action::Resolved(answer) => {
                let Phase::Dialling(dialling) = &mut self.phase else {
                    return Next::Wait;
                };
                match answer {
                    Ok(addresses) => {
                        dialling.dial.set_addresses(addresses);
                        self.next_attempt(context)
                    }
                    Err(error) => self.fail_to_dial(error),
                }
            }
            Action::Flush => self.flush(context),
            Action::Close => {
                // From now on messages are dropped, so nothing holds up reading.
                let paused = mem::replace(&mut self.paused, false);
                let next = self.flush(context);
                if next != Next::Wait {
                    return next;
                }
                // What the network took at once tells nothing of the peer.
                self.begin_close_timeout(context);
                match paused {
                    true => self.read(context),
                    false => next,
                }
            }
            Action::Abort => {
                let message = "the socket was closed before the connection was established";
                self.fail(io::Error::new(io::ErrorKind::ConnectionAborted, message))
            }
            Action::Broken => self.on_broken(context, io::ErrorKind::BrokenPipe.into()),
            Action::Resume => {
                self.paused = false;
                self.read(context)
            }
            Action::Detach => {
                self.link = None;
                match self.phase {
                    Phase::Dialling(_) | Phase::Tunnelling(_) | Phase::Opening(_) => Next::End,
                    Phase::Open | Phase::Ending => {
                        if self.close_timeout.is_none() && self.peer_close.is_none() {
                            // Nobody is left who would wait for ever.
                            self.set_deadline(context, Timer::End, ABANDONED);
                        }
                        Next::Wait
                    }
                }
            }
        }
    }

    pub(crate) fn on_event(&mut self, context: &mut Context, token: usize, event: &Event) -> Next {
        if let Phase::Dialling(dialling) = &mut self.phase {
            return match dialling.dial.check(token) {
                Some(attempt) => {
                    self.read_closed = event.is_read_closed();
                    self.connected(context, attempt)
                }
                None if dialling.dial.knows(token) => Next::Wait,
                None => {
                    // It failed: the next one need not wait.
                    context.release(token);
                    self.next_attempt(context)
                }
            };
        }
        if self.token != token {
            return Next::Wait;
        }
        if let Phase::Tunnelling(_) = self.phase {
            return self.tunnel(context);
        }
        self.read_closed |= event.is_read_closed() || event.is_error();
        if event.is_writable() {
            match self.write(context) {
                Next::Wait => {}
                next => return next,
            }
        }
        if event.is_readable() || self.read_closed {
            return self.read(context);
        }
        Next::Wait
    }

    pub(crate) fn on_deadline(&mut self, context: &mut Context, timer: Timer) -> Next {
        self.deadlines.clear(timer);
        match timer {
            Timer::Connect => {
                let message = "the connection was not established in time";
                self.fail(io::Error::new(io::ErrorKind::TimedOut, message))
            }
            Timer::Attempt => self.next_attempt(context),
            Timer::KeepAlive => self.keep_alive(context),
            Timer::End => {
                // A slow peer that still takes what was sent is given its time.
                let unwritten = self.inner.outbox().unwritten();
                if self.peer_close.is_none()
                    && matches!(self.phase, Phase::Open)
                    && unwritten < mem::replace(&mut self.unwritten, unwritten)
                {
                    self.begin_close_timeout(context);
                    return Next::Wait;
                }
                self.ended()
            }
        }
    }

    /// The connection leaves the loop.
    pub(crate) fn release(mut self, context: &mut Context) {
        self.inner.set_key(ENDED);
        if let Some(packer) = self.inner.packer.get() {
            packer.release();
        }
        let drained = {
            let mut outbox = self.inner.outbox();
            outbox.detach();
            outbox.take_drained()
        };
        context.release(self.token);
        if let Phase::Dialling(dialling) = &self.phase {
            dialling
                .dial
                .tokens()
                .for_each(|token| context.release(token));
        }
        if let (true, Some(link)) = (drained, self.link.take()) {
            link.drained();
        }
    }

    // Dialling and the opening handshake.

    fn next_attempt(&mut self, context: &mut Context) -> Next {
        let Phase::Dialling(dialling) = &mut self.phase else {
            return Next::Wait;
        };
        let key = self.id.0;
        dialling.dial.start_next(|tcp| context.register(tcp, key));
        if dialling.dial.is_idle() {
            let error = mem::take(&mut dialling.dial).into_error();
            return self.fail_to_dial(error);
        }
        if dialling.dial.has_addresses() {
            self.set_deadline(context, Timer::Attempt, ATTEMPT_DELAY);
        }
        Next::Wait
    }

    /// Says whether it is the proxy that cannot be reached.
    fn fail_to_dial(&mut self, error: io::Error) -> Next {
        let proxy = match &self.phase {
            Phase::Dialling(dialling) => dialling.setup.native.proxy.as_ref(),
            _ => None,
        };
        match proxy {
            Some(proxy) => self.fail(proxy.unreachable(error)),
            None => self.fail(error),
        }
    }

    /// An attempt won: the others are dropped.
    fn connected(&mut self, context: &mut Context, attempt: Attempt) -> Next {
        self.token = attempt.token;
        self.deadlines.clear(Timer::Attempt);
        let Phase::Dialling(dialling) = mem::replace(&mut self.phase, Phase::Ending) else {
            return Next::Wait;
        };
        let Dialling {
            mut setup, dial, ..
        } = *dialling;
        dial.tokens().for_each(|token| context.release(token));
        let tcp = attempt.tcp;
        if let Err(error) = setup.native.set_up(&tcp) {
            return self.fail(error);
        }
        match setup.native.proxy.take() {
            None => self.begin_opening(context, setup, tcp),
            Some(proxy) => {
                let (host, port) = (setup.target.host().to_owned(), setup.target.port());
                let tunnel = Tunnel::new(proxy, host, port);
                self.phase = Phase::Tunnelling(Box::new(Tunnelling { setup, tunnel, tcp }));
                self.tunnel(context)
            }
        }
    }

    /// Talks with the proxy as far as that goes now.
    fn tunnel(&mut self, context: &mut Context) -> Next {
        let Phase::Tunnelling(tunnelling) = &mut self.phase else {
            return Next::Wait;
        };
        match tunnelling.advance(context.buffer.as_mut_slice()) {
            Ok(false) => Next::Wait,
            Ok(true) => match mem::replace(&mut self.phase, Phase::Ending) {
                Phase::Tunnelling(open) => self.begin_opening(context, open.setup, open.tcp),
                _ => Next::Wait,
            },
            Err(error) => self.fail(error),
        }
    }

    fn begin_opening(&mut self, context: &mut Context, setup: Setup, tcp: TcpStream) -> Next {
        match self.opening(setup, tcp) {
            Ok(opening) => {
                self.phase = Phase::Opening(Box::new(opening));
                // Both may be possible by now.
                match self.write(context) {
                    Next::Wait => self.read(context),
                    next => next,
                }
            }
            Err(error) => self.fail(error),
        }
    }

    fn opening(
        &mut self,
        setup: Setup,
        tcp: TcpStream,
    ) -> Result<Opening, Box<dyn std::error::Error + Send + Sync>> {
        let Setup {
            target,
            subprotocols,
            native,
            ..
        } = setup;
        let tls = match target.is_secure() {
            false => None,
            true => Some(Tls::new(native.tls, target.host())?),
        };
        self.stream = Some(Arc::new(Stream::new(tcp, tls)));
        let (handshake, request) =
            Handshake::new(&target, subprotocols, &native.headers, native.deflate);
        Ok(Opening { handshake, request })
    }

    fn write_request(&mut self) -> io::Result<()> {
        let (Phase::Opening(opening), Some(stream)) = (&mut self.phase, &self.stream) else {
            return Ok(());
        };
        while !opening.request.is_empty() {
            let written = stream.write(&opening.request)?;
            opening.request.drain(..written);
        }
        stream.flush_tls()
    }

    // Reading.

    /// Reads what is there, up to a budget.
    pub(crate) fn read(&mut self, context: &mut Context) -> Next {
        let Some(stream) = self.stream.clone() else {
            return Next::Wait;
        };
        if self.paused {
            return Next::Wait;
        }
        // The buffer is lent to this call: handlers cannot come back here.
        let mut lent = mem::take(&mut context.buffer);
        let buffer = lent.as_mut_slice();
        let began = Instant::now();
        let mut turn = self.link.as_ref().and_then(Link::turn);
        let mut budget = READ_BUDGET;
        let next = loop {
            let room = match self.phase {
                Phase::Open if stream.can_append() => self.decoder.room(),
                _ => None,
            };
            let in_place = room.is_some();
            let (read, wanted) = match room {
                Some((data, most)) => (stream.append(data, most), most),
                None => (stream.read(buffer), buffer.len()),
            };
            let read = match read {
                Ok(0) => break self.on_end_of_stream(turn.as_mut()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Next::Wait,
                Err(error) => break self.on_read_error(turn.as_mut(), error),
            };
            let received = match in_place {
                true => self.received_in_place(context, turn.as_mut(), read),
                false => self.received(context, turn.as_mut(), &buffer[..read]),
            };
            match received {
                Next::Wait => {}
                next => break next,
            }
            if let Some(turn) = &mut turn {
                if turn.is_backlogged(self.receive_limit) {
                    self.paused = true;
                    break Next::Wait;
                }
            }
            let short = read < wanted && !self.read_closed;
            if short && stream.short_read_means_empty() {
                break Next::Wait;
            }
            budget = budget.saturating_sub(read.max(context.arena.take_inflated()));
            if budget == 0 {
                break Next::Yield;
            }
        };
        drop(turn);
        context.buffer = lent;
        let took = began.elapsed();
        if took > SLOW_TURN {
            log::warn!(
                "handlers held up the event loop for {} ms",
                took.as_millis()
            );
        }
        match next {
            Next::End => Next::End,
            // What this reading called for: pongs, a Close frame, or the request
            // once TLS is ready for it.
            next => match self.write(context) {
                Next::Wait => next,
                next => next,
            },
        }
    }

    /// The peer is alive.
    fn heard(&mut self, context: &mut Context) {
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.last_heard = Some(Instant::now());
            if mem::take(&mut heartbeat.pinged) {
                let interval = heartbeat.keep_alive.interval;
                self.set_deadline(context, Timer::KeepAlive, interval);
            }
        }
    }

    /// A piece of a large message, read to where it belongs.
    fn received_in_place(
        &mut self,
        context: &mut Context,
        turn: Option<&mut Turn<Native>>,
        read: usize,
    ) -> Next {
        self.heard(context);
        self.inner.outbox().restore_credit();
        match (self.decoder.appended(read), turn) {
            // Not `message`, which is worth its place in the code only once.
            (Ok(Some(message)), Some(turn)) => turn.report(Report::Message(message)),
            (Ok(_), _) => {}
            (Err(violation), turn) => return self.on_violation(context, turn, violation),
        }
        Next::Wait
    }

    fn received(
        &mut self,
        context: &mut Context,
        mut turn: Option<&mut Turn<Native>>,
        mut bytes: &[u8],
    ) -> Next {
        self.heard(context);
        if let Phase::Opening(opening) = &mut self.phase {
            match opening.handshake.read(bytes) {
                Ok(None) => return Next::Wait,
                Ok(Some((reply, used))) => {
                    bytes = &bytes[used..];
                    if let Some(agreed) = &reply.agreed {
                        self.decoder.set_inflater(agreed.inflater());
                        let packer = Box::new(Packer::new(agreed));
                        self.inner.packer.get_or_init(|| packer);
                    }
                    self.phase = Phase::Open;
                    self.deadlines.clear(Timer::Connect);
                    if let Some(heartbeat) = &self.heartbeat {
                        let interval = heartbeat.keep_alive.interval;
                        self.set_deadline(context, Timer::KeepAlive, interval);
                    }
                    if let Some(stream) = &self.stream {
                        self.inner.outbox().attach(stream.clone());
                    }
                    if let Some(turn) = turn.as_deref_mut() {
                        turn.report(reply.established);
                    }
                }
                Err(error) => return self.fail_in(turn, error),
            }
        }
        if !matches!(self.phase, Phase::Open) || bytes.is_empty() {
            return Next::Wait;
        }
        self.inner.outbox().restore_credit();
        let mut received = Received {
            inner: &self.inner,
            turn: turn.as_deref_mut(),
            close: None,
        };
        let decoded = self
            .decoder
            .decode(bytes, &mut context.arena, &mut received);
        if let Some(frame) = received.close {
            self.on_peer_close(context, turn, frame);
            return Next::Wait;
        }
        match decoded {
            Ok(()) => Next::Wait,
            Err(violation) => self.on_violation(context, turn, violation),
        }
    }

    /// RFC 6455, 5.5.1: the answer has the same code (S80, S81). A socket that
    /// has sent its own Close frame does not answer (S78).
    fn on_peer_close(
        &mut self,
        context: &mut Context,
        turn: Option<&mut Turn<Native>>,
        frame: Option<(u16, String)>,
    ) {
        let echo = frame
            .as_ref()
            .map(|(code, reason)| (*code, reason.as_str()));
        self.inner.outbox().close(echo);
        let (code, reason) = frame.clone().unwrap_or((1005, String::new()));
        self.peer_close = Some(Box::new(CloseEvent::new(code, reason, true)));
        if let Some(turn) = turn {
            turn.report(Report::PeerClosing);
        }
        // The server ends TCP (RFC 6455, 7.1.1); one that does not is not waited for.
        self.set_deadline(context, Timer::End, LINGER);
    }

    /// FAIL, and tell the peer why (S95).
    fn on_violation(
        &mut self,
        context: &mut Context,
        turn: Option<&mut Turn<Native>>,
        violation: Violation,
    ) -> Next {
        let code = violation.code;
        if let Some(turn) = turn {
            turn.report(Report::Failed(ErrorEvent::new(violation)));
        }
        self.inner.outbox().close(Some((code, "")));
        self.link = None;
        self.phase = Phase::Ending;
        self.set_deadline(context, Timer::End, LINGER);
        Next::Wait
    }

    fn on_end_of_stream(&mut self, turn: Option<&mut Turn<Native>>) -> Next {
        match self.phase {
            Phase::Dialling(_) | Phase::Tunnelling(_) | Phase::Opening(_) => {
                let message = "the server closed the connection before it was established";
                self.fail_in(turn, io::Error::new(io::ErrorKind::UnexpectedEof, message))
            }
            // S96: no error event.
            Phase::Open | Phase::Ending => {
                self.report_end(turn);
                Next::End
            }
        }
    }

    fn on_read_error(&mut self, turn: Option<&mut Turn<Native>>, error: io::Error) -> Next {
        if self.peer_close.is_some() {
            // S87: the closing handshake is what counts.
            self.report_end(turn);
            return Next::End;
        }
        self.fail_in(turn, error)
    }

    // Writing.

    fn write(&mut self, context: &mut Context) -> Next {
        match self.phase {
            _ if self.broken => Next::Wait,
            Phase::Opening(_) => match self.write_request() {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                    self.on_broken(context, error)
                }
                _ => Next::Wait,
            },
            _ => self.flush_if_pending(context),
        }
    }

    fn flush_if_pending(&mut self, context: &mut Context) -> Next {
        if self.inner.outbox().is_empty() && !matches!(self.phase, Phase::Ending) {
            return Next::Wait;
        }
        self.flush(context)
    }

    fn flush(&mut self, context: &mut Context) -> Next {
        let (result, drained, empty) = {
            let mut outbox = self.inner.outbox();
            let result = outbox.flush();
            (result, outbox.take_drained(), outbox.is_empty())
        };
        if let (true, Some(link)) = (drained, &self.link) {
            link.drained();
        }
        if let Err(error) = result {
            return self.on_broken(context, error);
        }
        if empty && matches!(self.phase, Phase::Ending) {
            // Said and done; the peer's own end is waited for, so that what was
            // written is not lost in a reset.
            if let Some(stream) = &self.stream {
                stream.shutdown_write();
            }
        }
        Next::Wait
    }

    /// Writing failed: the peer may have said why before.
    fn on_broken(&mut self, context: &mut Context, error: io::Error) -> Next {
        self.paused = false;
        self.broken = true;
        loop {
            match self.read(context) {
                Next::Yield => {}
                Next::End => return Next::End,
                Next::Wait if self.peer_close.is_some() => return self.ended(),
                Next::Wait => return self.fail(error),
            }
        }
    }

    /// Pings a silent peer, or gives up one that did not answer.
    fn keep_alive(&mut self, context: &mut Context) -> Next {
        let (Some(heartbeat), Phase::Open) = (&mut self.heartbeat, &self.phase) else {
            return Next::Wait;
        };
        let KeepAlive { interval, timeout } = heartbeat.keep_alive;
        let heard = heartbeat.last_heard;
        let silent = heard.map_or(interval, |heard| heard.elapsed());
        let owes_pong = mem::take(&mut heartbeat.pinged);
        if owes_pong && !self.paused {
            let message = "the peer did not answer a ping in time";
            return self.fail(io::Error::new(io::ErrorKind::TimedOut, message));
        }
        if silent < interval || self.paused {
            // While we do not read, its silence proves nothing.
            let wait = interval.saturating_sub(silent).max(interval / 8);
            self.set_deadline(context, Timer::KeepAlive, wait);
            return Next::Wait;
        }
        heartbeat.pinged = true;
        self.inner.outbox().ping();
        self.set_deadline(context, Timer::KeepAlive, timeout);
        self.flush(context)
    }

    // The end.

    fn begin_close_timeout(&mut self, context: &mut Context) {
        self.unwritten = self.inner.outbox().unwritten();
        if let Some(timeout) = self.close_timeout {
            self.set_deadline(context, Timer::End, timeout);
        }
    }

    fn set_deadline(&mut self, context: &mut Context, timer: Timer, after: Duration) {
        // A deadline beyond the clock's range is none.
        if let Some(when) = Instant::now().checked_add(after) {
            context
                .timers
                .set(&mut self.deadlines, self.id.0, timer, when);
        }
    }

    fn fail(&mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Next {
        let mut turn = self.link.as_ref().and_then(Link::turn);
        self.fail_in(turn.as_mut(), cause)
    }

    fn fail_in(
        &mut self,
        turn: Option<&mut Turn<Native>>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Next {
        if let Some(turn) = turn {
            turn.report(Report::Failed(ErrorEvent::new(cause)));
        }
        Next::End
    }

    fn ended(&mut self) -> Next {
        let mut turn = self.link.as_ref().and_then(Link::turn);
        self.report_end(turn.as_mut());
        Next::End
    }

    /// The peer's code and reason if it gave them, else 1006 (S71–S76, S80, S96).
    fn report_end(&mut self, turn: Option<&mut Turn<Native>>) {
        if let Some(turn) = turn {
            let end = self
                .peer_close
                .take()
                .map_or_else(CloseEvent::abnormal, |end| *end);
            turn.report(Report::Closed(end));
        }
    }
}

/// What a connection does with what was decoded.
struct Received<'a> {
    inner: &'a Inner,
    turn: Option<&'a mut Turn<Native>>,
    /// The peer's Close frame.
    close: Option<Option<(u16, String)>>,
}

impl Output for Received<'_> {
    #[inline(always)]
    fn message(&mut self, message: Message) {
        if let Some(turn) = &mut self.turn {
            turn.message(message);
        }
    }

    #[inline(never)]
    fn item(&mut self, item: Item) {
        match item {
            Item::Message(message) => self.message(message),
            Item::Ping(payload) => self.inner.outbox().pong(&payload),
            Item::Pong => {}
            Item::Close(frame) => self.close = Some(frame),
        }
    }
}

impl Tunnelling {
    /// Writes and reads what can be; `true` once the tunnel is open.
    fn advance(
        &mut self,
        buffer: &mut [u8],
    ) -> Result<bool, Box<dyn std::error::Error + Send + Sync>> {
        loop {
            while !self.tunnel.outgoing.is_empty() {
                match self.tcp.write(&self.tunnel.outgoing) {
                    Ok(written) => drop(self.tunnel.outgoing.drain(..written)),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error.into()),
                }
            }
            match self.tcp.read(buffer) {
                Ok(0) => return Err("the proxy closed the connection".into()),
                Ok(read) => {
                    if self.tunnel.read(&buffer[..read])? {
                        return Ok(true);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
