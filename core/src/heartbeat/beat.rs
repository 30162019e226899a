//! When to ask the peer, and when it counts as dead: a pure function of the time.
//!
//! Times are those of the host's clock.

use std::time::Duration;

use crate::HostEvent;

/// How long a peer may take to answer after its socket's host woke up. It is less if the
/// heartbeat's own timeout is shorter, and more if its answers take long.
const TEST: Duration = Duration::from_millis(1500);

/// The timeout of a test after waking up.
#[doc(hidden)]
pub fn test_timeout(timeout: Duration, latency: Option<Duration>) -> Duration {
    let slow = latency.unwrap_or_default().saturating_mul(3);
    timeout.min(TEST.max(slow))
}

/// When a peer counts as dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// It is asked once per interval, and gives no sign of life within the timeout.
    Ask {
        interval: Duration,
        timeout: Duration,
    },
    /// It is silent for so long, without being asked.
    Silence(Duration),
}

impl Rule {
    /// How long the peer has to answer after its socket's host woke up; `None` if it is
    /// not asked.
    pub(crate) fn test_timeout(&self, latency: Option<Duration>) -> Option<Duration> {
        match self {
            Rule::Ask { timeout, .. } => Some(test_timeout(*timeout, latency)),
            Rule::Silence(_) => None,
        }
    }
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing for so long.
    Wait(Duration),
    /// Ask the peer, and look again after so long.
    Ask(Duration),
    /// The peer is dead.
    Dead,
}

/// The state of one connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beat {
    rule: Rule,
    last_life: Duration,
    /// When the peer is asked next.
    next: Duration,
    asked: Option<Asked>,
    /// The last timer was late, so the peer got more time. It gets that once.
    was_late: bool,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    when: Duration,
    timeout: Duration,
    /// The socket's host woke up.
    is_test: bool,
}

impl Beat {
    /// A connection that is established now. Also returns when to look at it.
    pub(crate) fn new(rule: Rule, now: Duration) -> (Self, Duration) {
        let first = match rule {
            Rule::Ask { interval, .. } => interval,
            Rule::Silence(time) => time,
        };
        let beat = Beat {
            rule,
            last_life: now,
            next: now.saturating_add(first),
            asked: None,
            was_late: false,
        };
        (beat, first)
    }

    /// A message arrived.
    pub(crate) fn heard(&mut self, now: Duration) {
        self.alive(now);
        self.asked = None;
        self.was_late = false;
    }

    /// There was a sign of life at this time.
    pub(crate) fn alive(&mut self, when: Duration) {
        self.last_life = self.last_life.max(when);
    }

    /// Decides what to do now.
    pub(crate) fn judge(&mut self, now: Duration) -> Verdict {
        match (self.rule, self.asked) {
            (Rule::Ask { interval, timeout }, None) => match self.next.checked_sub(now) {
                Some(left) if !left.is_zero() => Verdict::Wait(left),
                _ => self.ask(now, interval, timeout, false),
            },
            (Rule::Ask { interval, .. }, Some(asked)) => {
                let since = self.last_life.max(asked.when);
                match self.verdict(now, since.saturating_add(asked.timeout)) {
                    // It was asked, and the answer may have come while the host did not run.
                    Some(Verdict::Ask(_)) => self.ask(now, interval, asked.timeout, asked.is_test),
                    // The answer may come before, and then the next question is due.
                    Some(Verdict::Wait(left)) => Verdict::Wait(left.min(interval)),
                    Some(Verdict::Dead) | None => Verdict::Dead,
                }
            }
            (Rule::Silence(time), _) => {
                match self.verdict(now, self.last_life.saturating_add(time)) {
                    Some(Verdict::Ask(_)) => {
                        self.last_life = now;
                        Verdict::Wait(time)
                    }
                    Some(verdict) => verdict,
                    None => Verdict::Dead,
                }
            }
        }
    }

    /// Asks the peer at once. With `limit` this is a test: the peer may take that long to answer,
    /// if the timeout is not shorter. Nothing is asked while an earlier question waits whose time
    /// is as short.
    pub(crate) fn ask_now(&mut self, now: Duration, limit: Option<Duration>) -> Verdict {
        let is_out = self.asked.is_some_and(|it| it.is_test || limit.is_none());
        match self.rule {
            Rule::Ask { interval, timeout } if !is_out => {
                self.was_late = false;
                let timeout = limit.unwrap_or(timeout);
                self.ask(now, interval, timeout, limit.is_some())
            }
            _ => self.judge(now),
        }
    }

    /// While the peer is being tested, how long it has to answer.
    pub(crate) fn test(&self) -> Option<Duration> {
        let asked = self.asked.filter(|asked| asked.is_test);
        asked.map(|asked| asked.timeout)
    }

    fn ask(
        &mut self,
        now: Duration,
        interval: Duration,
        timeout: Duration,
        is_test: bool,
    ) -> Verdict {
        self.next = now.saturating_add(interval);
        self.asked = Some(Asked {
            when: now,
            timeout,
            is_test,
        });
        Verdict::Ask(timeout.min(interval))
    }

    /// What follows from a deadline: `None` is death, and `Ask` another chance.
    fn verdict(&mut self, now: Duration, deadline: Duration) -> Option<Verdict> {
        match now.checked_sub(deadline) {
            None => Some(Verdict::Wait(deadline.saturating_sub(now))),
            // The timer is late. The peer is asked again.
            Some(late) if late > HostEvent::LATE && !self.was_late => {
                self.was_late = true;
                Some(Verdict::Ask(Duration::ZERO))
            }
            Some(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const RULE: Rule = Rule::Ask {
        interval: s(30),
        timeout: s(10),
    };

    #[test]
    fn a_peer_that_never_answers_is_dead_after_interval_and_timeout() {
        let (mut beat, first) = Beat::new(RULE, s(100));
        assert_eq!(first, s(30));
        assert_eq!(beat.judge(s(129)), Verdict::Wait(s(1)));
        assert_eq!(beat.judge(s(130)), Verdict::Ask(s(10)));
        assert_eq!(beat.judge(s(139)), Verdict::Wait(s(1)));
        assert_eq!(beat.judge(s(140)), Verdict::Dead);
    }

    #[test]
    fn it_is_asked_once_per_interval_also_while_messages_arrive() {
        let (mut beat, _) = Beat::new(RULE, s(0));
        beat.heard(s(29));
        assert_eq!(beat.judge(s(30)), Verdict::Ask(s(10)));
        beat.heard(s(31));
        assert_eq!(beat.judge(s(40)), Verdict::Wait(s(20)));
        assert_eq!(beat.judge(s(60)), Verdict::Ask(s(10)));
    }

    #[test]
    fn a_timeout_longer_than_the_interval_delays_no_question() {
        let rule = Rule::Ask {
            interval: s(10),
            timeout: s(60),
        };
        let (mut beat, _) = Beat::new(rule, s(0));
        assert_eq!(beat.judge(s(10)), Verdict::Ask(s(10)));
        beat.heard(s(11));
        assert_eq!(beat.judge(s(20)), Verdict::Ask(s(10)));
        assert_eq!(beat.judge(s(30)), Verdict::Wait(s(10)));
        assert_eq!(beat.judge(s(75)), Verdict::Wait(s(5)));
        assert_eq!(beat.judge(s(80)), Verdict::Dead);
    }

    #[test]
    fn a_byte_gives_it_the_timeout_again() {
        let (mut beat, _) = Beat::new(RULE, s(0));
        assert_eq!(beat.judge(s(30)), Verdict::Ask(s(10)));
        beat.alive(s(39));
        assert_eq!(beat.judge(s(40)), Verdict::Wait(s(9)));
        assert_eq!(beat.judge(s(49)), Verdict::Dead);
    }

    #[test]
    fn after_a_timer_that_was_much_too_late_it_is_asked_again_once() {
        let (mut beat, _) = Beat::new(RULE, s(0));
        assert_eq!(beat.judge(s(30)), Verdict::Ask(s(10)));
        assert_eq!(beat.judge(s(3600)), Verdict::Ask(s(10)));
        assert_eq!(beat.judge(s(3660)), Verdict::Dead);
        // This late is not much too late.
        let (mut beat, _) = Beat::new(RULE, s(0));
        assert_eq!(beat.judge(s(30)), Verdict::Ask(s(10)));
        assert_eq!(beat.judge(s(40) + HostEvent::LATE), Verdict::Dead);
        let (mut beat, _) = Beat::new(RULE, s(0));
        assert_eq!(beat.judge(s(60)), Verdict::Ask(s(10)));
        assert_eq!(beat.judge(s(120)), Verdict::Ask(s(10)));
        beat.heard(s(121));
        assert_eq!(beat.judge(s(180)), Verdict::Ask(s(10)));
        assert_eq!(beat.judge(s(240)), Verdict::Ask(s(10)));
    }

    #[test]
    fn after_waking_up_it_has_little_time() {
        let (mut beat, _) = Beat::new(RULE, s(0));
        assert_eq!(beat.ask_now(s(5), Some(s(2))), Verdict::Ask(s(2)));
        assert_eq!(beat.test(), Some(s(2)));
        // Woken again: the question is out already.
        assert_eq!(beat.ask_now(s(6), Some(s(2))), Verdict::Wait(s(1)));
        assert_eq!(beat.ask_now(s(6), None), Verdict::Wait(s(1)));
        assert_eq!(beat.judge(s(7)), Verdict::Dead);
        let (mut beat, _) = Beat::new(RULE, s(0));
        assert_eq!(beat.judge(s(30)), Verdict::Ask(s(10)));
        assert_eq!(beat.ask_now(s(31), None), Verdict::Wait(s(9)));
        assert_eq!(beat.ask_now(s(31), Some(s(2))), Verdict::Ask(s(2)));
        beat.heard(s(32));
        assert_eq!(beat.test(), None);
        assert_eq!(beat.judge(s(33)), Verdict::Wait(s(28)));
    }

    #[test]
    fn a_test_takes_a_slow_peer_and_a_short_timeout_into_account() {
        let ms = Duration::from_millis;
        assert_eq!(test_timeout(s(15), None), ms(1500));
        assert_eq!(test_timeout(s(15), Some(ms(20))), ms(1500));
        assert_eq!(test_timeout(s(15), Some(s(1))), s(3));
        assert_eq!(test_timeout(s(15), Some(s(9))), s(15));
        assert_eq!(test_timeout(s(1), None), s(1));
    }

    #[test]
    fn silence_is_measured_from_the_last_sign_of_life() {
        let (mut beat, first) = Beat::new(Rule::Silence(s(20)), s(0));
        assert_eq!(first, s(20));
        beat.heard(s(15));
        assert_eq!(beat.judge(s(20)), Verdict::Wait(s(15)));
        beat.alive(s(30));
        assert_eq!(beat.judge(s(35)), Verdict::Wait(s(15)));
        assert_eq!(beat.judge(s(50)), Verdict::Dead);
        let (mut beat, _) = Beat::new(Rule::Silence(s(20)), s(0));
        assert_eq!(beat.judge(s(500)), Verdict::Wait(s(20)));
        assert_eq!(beat.judge(s(520)), Verdict::Dead);
    }
}
