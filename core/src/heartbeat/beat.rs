//! When to ask the peer, and when it counts as dead: a pure function of the time.
//!
//! Times are those of the host's clock.

use std::time::Duration;

/// A timer that is later than this was held up: by a hidden page, by a machine that
/// slept, by a process that was stopped. The peer is then asked again.
const LATE: Duration = Duration::from_secs(2);

/// What makes a peer dead.
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
                _ => self.ask(now, interval, timeout),
            },
            (Rule::Ask { interval, .. }, Some(asked)) => {
                let since = self.last_life.max(asked.when);
                match self.verdict(now, since.saturating_add(asked.timeout)) {
                    // It was asked, and nobody was there to see the answer.
                    Some(Verdict::Ask(_)) => self.ask(now, interval, asked.timeout),
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

    fn ask(&mut self, now: Duration, interval: Duration, timeout: Duration) -> Verdict {
        self.next = now.saturating_add(interval);
        self.asked = Some(Asked { when: now, timeout });
        Verdict::Ask(timeout.min(interval))
    }

    /// What follows from a deadline: `None` is death, and `Ask` another chance.
    fn verdict(&mut self, now: Duration, deadline: Duration) -> Option<Verdict> {
        match now.checked_sub(deadline) {
            None => Some(Verdict::Wait(deadline - now)),
            Some(late) if late > LATE && !self.was_late => {
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
        let (mut beat, _) = Beat::new(RULE, s(0));
        assert_eq!(beat.judge(s(60)), Verdict::Ask(s(10)));
        assert_eq!(beat.judge(s(120)), Verdict::Ask(s(10)));
        beat.heard(s(121));
        assert_eq!(beat.judge(s(180)), Verdict::Ask(s(10)));
        assert_eq!(beat.judge(s(240)), Verdict::Ask(s(10)));
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
