//! Reads a row's log: which tests ran, how each ended, how many there were.
//!
//! Invariant: nothing counts as passed that did not say so itself.

/// Tests that passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: u64,
    pub failed: u64,
}

impl Counts {
    /// Adds up the `test result:` lines of libtest and wasm-bindgen-test,
    /// which agree on the words before the second semicolon.
    pub fn read(log: &str) -> Self {
        let mut sum = Self::default();
        for line in log.lines() {
            if let Some(counts) = result_line(line) {
                sum.passed += counts.passed;
                sum.failed += counts.failed;
            }
        }
        sum
    }
}

fn result_line(line: &str) -> Option<Counts> {
    let rest = line.trim_start().strip_prefix("test result: ")?;
    let (_, rest) = rest.split_once(". ")?;
    let mut parts = rest.split("; ");
    Some(Counts {
        passed: parts.next()?.strip_suffix(" passed")?.parse().ok()?,
        failed: parts.next()?.strip_suffix(" failed")?.parse().ok()?,
    })
}

/// What harnesses print of the tests that failed: the parts between `failures:` and the
/// list of their names.
pub fn of_failures(log: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in log.lines() {
        inside = match line.trim() {
            "failures:" => !inside,
            line => inside && !line.starts_with("test result: "),
        };
        if inside {
            lines.push(line);
        }
    }
    lines
}

/// A test that a harness named, with what it said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    pub name: String,
    pub passed: bool,
}

impl Test {
    /// The `test NAME ... ok` lines, in their order; what was ignored did not
    /// run.
    pub fn read_all(log: &str) -> Vec<Self> {
        log.lines().filter_map(test_line).collect()
    }

    /// The name as it is shown.
    pub fn short_name(&self) -> &str {
        self.in_suite().unwrap_or(&self.name)
    }

    /// The name within the suite, `S23::a_valid_reply_opens`, if it is of it.
    pub fn in_suite(&self) -> Option<&str> {
        self.name.strip_prefix("mounted::")
    }
}

fn test_line(line: &str) -> Option<Test> {
    let (name, word) = line.strip_prefix("test ")?.split_once(" ... ")?;
    let passed = match word.split_whitespace().next()? {
        "ok" => true,
        "FAILED" | "FAIL" => false,
        _ => return None,
    };
    let name = name.to_owned();
    Some(Test { name, passed })
}

#[cfg(test)]
mod tests {
    use super::{Counts, Test, of_failures};

    #[test]
    fn both_harnesses_result_lines_are_read_and_added_up() {
        let log = "running 3 tests\ntest a ... ok\n\
            test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s\n\
            \n    test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 filtered out; finished in 0.05s\r\n";
        let expected = Counts {
            passed: 15,
            failed: 2,
        };
        assert_eq!(Counts::read(log), expected);
    }

    #[test]
    fn what_failed_tests_print_is_found() {
        let log = "test a ... FAILED\n\nfailures:\n\n---- a stdout ----\nwhy\n\nfailures:\n    a\n\n\
            test result: FAILED. 0 passed; 1 failed\nrunning 1 test\ntest b ... ok\n\
            test result: ok. 1 passed; 0 failed\n";
        let found = of_failures(log).join(" ");
        assert_eq!(found, "failures:  ---- a stdout ---- why ");
        assert!(of_failures("test result: ok. 1 passed; 0 failed\n").is_empty());
    }

    #[test]
    fn other_lines_count_nothing() {
        let log = "it said: test result: ok. 3 passed; 0 failed\ntest result: ok\n\
            test result: ok. many passed; 0 failed\nno tests to run!\n";
        assert_eq!(Counts::read(log), Counts::default());
        assert!(Test::read_all(log).is_empty());
    }

    #[test]
    fn tests_are_read_with_their_ends() {
        let log = "test mounted::S1::a ... ok\ntest b ... FAILED\r\ntest mounted::S2::c ... FAIL\n\
            test d ... ignored, too slow\ntest e ... \n";
        let read = Test::read_all(log);
        let ends: Vec<(&str, bool)> = read
            .iter()
            .map(|test| (test.name.as_str(), test.passed))
            .collect();
        assert_eq!(
            ends,
            [
                ("mounted::S1::a", true),
                ("b", false),
                ("mounted::S2::c", false)
            ]
        );
        assert_eq!(read[0].in_suite(), Some("S1::a"));
        assert_eq!(read[1].in_suite(), None);
    }
}
