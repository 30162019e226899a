//! Tests of the checks and of what the options set up.

use super::*;

fn check(options: &mut NativeOptions) -> Result<(), NewError> {
    options.validate(&Target::parse("ws://h/").expect("a good URL"))
}

#[test]
fn times_are_rounded_up_to_seconds_and_checked() {
    for (milliseconds, seconds, is_good) in [
        (0, 0, false),
        (1, 1, true),
        (1000, 1, true),
        (1001, 2, true),
        (32_767_000, 32_767, true),
        (32_767_001, 32_768, false),
    ] {
        let time = Duration::from_millis(milliseconds);
        assert_eq!(whole_seconds(time), seconds);
        let mut options = NativeOptions::default();
        options.tcp.keepalive = Some(time);
        assert_eq!(check(&mut options).is_ok(), is_good, "{milliseconds} ms");
    }
    assert_eq!(whole_seconds(Duration::MAX), u64::MAX);
}

#[test]
fn a_bad_header_is_reported_once_the_target_is_known() {
    let mut options = NativeOptions::default();
    assert!(check(&mut options).is_ok());
    options.add_header("a b", "x");
    assert!(matches!(check(&mut options), Err(NewError::Option(_))));
}

#[test]
fn pings_are_kept_as_keep_alive() {
    let (interval, timeout) = (Duration::from_secs(7), Duration::from_secs(3));
    let mut options = NativeOptions::default();
    options.as_mut().set_pings(Some((interval, timeout)));
    let times = options.keep_alive.expect("it was set");
    assert_eq!((times.interval, times.timeout), (interval, timeout));
    options.set_pings(None);
    assert!(options.keep_alive.is_none());
}

#[test]
fn a_hook_hears_of_steps_and_is_dropped() {
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let own = heard.clone();
    let hook = StepHook::new(move |step, _| own.lock().expect("no panic").push(step));
    let steps = steps::Steps::start(Some(hook.clone()));
    steps.done(ConnectStep::Name);
    assert_eq!(*heard.lock().expect("no panic"), [ConnectStep::Name]);
    drop((steps, hook));
    assert_eq!(std::sync::Arc::strong_count(&heard), 1);
}

#[test]
fn a_proxy_has_the_port_of_its_url_or_of_its_kind() {
    for (url, port) in [
        ("http://proxy", 80),
        ("http://proxy:8080", 8080),
        ("socks5://proxy", 1080),
    ] {
        assert_eq!(Proxy::new(url).expect("a good URL").port(), port);
    }
}

#[cfg(not(isosocket_simulation))]
#[test]
fn a_socket_sends_at_once() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a port");
    let address = server.local_addr().expect("it is bound");
    let tcp = TcpStream::connect(address).expect("it listens");
    let accepted = server.accept().expect("it was asked");
    NativeOptions::default()
        .set_up(&tcp)
        .expect("an open socket");
    assert!(tcp.nodelay().expect("an open socket"));
    drop(accepted);
}
