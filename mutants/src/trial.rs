//! Runs tests with a mutant chosen, those tests that reach it.
//!
//! Invariant: a mutant is caught only if a test fails that passes without it.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use crate::build::Program;
use crate::node;
use crate::patience::{Limit, Patience, TICK};

/// A test that takes longer is not one of the quick ones.
const SLOW: Duration = Duration::from_secs(25);
/// How much longer a test may take with a mutant, and how long at least.
const FACTOR: u32 = 3;
const LEAST: Limit = Limit {
    wait: Duration::from_secs(6),
    compute: Duration::from_secs(2),
};
/// How many places a test of one part comes to at most.
const FEW: usize = 150;
/// How long most tests of wasm take at most, with the start of Node.
const LATE: Duration = Duration::from_secs(8);
/// KiB of memory: a mutant may ask for all there is.
const MEMORY: &str = "6000000";

pub struct Test<'a> {
    program: &'a Program,
    name: String,
    time: Duration,
    computed: Duration,
    sites: HashSet<u32>,
}

impl Test<'_> {
    /// Whether others go first: a test that comes to few places is about them, and ends soon.
    /// Where starting takes most of the time, few tests are slow.
    fn is_late(&self) -> bool {
        match self.program.is_wasm() {
            true => self.time > LATE,
            false => self.sites.len() > FEW,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Caught(String),
    /// A test did not end.
    Hangs(String),
    Missed,
    /// No test comes there.
    Unreached,
}

fn command(program: &Program) -> Command {
    let mut command = Command::new("sh");
    // Node reserves more addresses than it uses.
    let memory = if program.is_wasm() {
        "unlimited"
    } else {
        MEMORY
    };
    let limits = "ulimit -v \"$0\"; ulimit -c 0; exec \"$@\"";
    command
        .args(["-c", limits, memory])
        .args(
            program
                .is_wasm()
                .then_some(["node", "--expose-gc"])
                .into_iter()
                .flatten(),
        )
        .arg(&program.path)
        .process_group(0)
        .current_dir(&program.folder)
        .env("CARGO_MANIFEST_DIR", &program.folder)
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// Chooses the tests of a run.
fn choose<'a>(run: &mut Command, program: &Program, names: impl Iterator<Item = &'a String>) {
    if program.is_wasm() {
        let names: Vec<&str> = names.map(String::as_str).collect();
        run.env(node::CHOSEN, names.join(" "));
    } else {
        run.arg("--exact").args(names);
    }
}

/// The names of all tests of a program.
fn names(program: &Program) -> Vec<String> {
    if program.is_wasm() {
        return node::names(&program.path);
    }
    let listed = command(program)
        .args(["--list", "--format", "terse"])
        .output();
    let listed = listed.map(|output| output.stdout).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed);
    let names = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"));
    names.map(str::to_owned).collect()
}

/// Runs every test by itself, and notes which places it reaches.
pub fn survey(programs: &[Program], workers: usize) -> Vec<Test<'_>> {
    let mut all = Vec::new();
    for program in programs {
        all.extend(names(program).into_iter().map(|name| (program, name)));
    }
    let traces = std::env::temp_dir().join(format!("isosocket-mutants-{}", std::process::id()));
    let _ = std::fs::create_dir_all(&traces);
    let number = AtomicUsize::new(0);
    let tests = in_parallel(&all, workers, |(program, name)| {
        let program: &Program = program;
        let trace = traces.join(number.fetch_add(1, Ordering::Relaxed).to_string());
        let mut run = command(program);
        choose(&mut run, program, std::iter::once(name));
        run.env("ISOSOCKET_MUTANT_TRACE", &trace);
        let begun = Instant::now();
        let (wait, compute) = (SLOW * 4, SLOW * 4);
        let (verdict, computed) = watch(run, Limit { wait, compute });
        let time = begun.elapsed();
        let text = std::fs::read_to_string(&trace).unwrap_or_default();
        if verdict != Verdict::Missed {
            eprintln!("left out, as it fails without a mutant: {name}");
            return None;
        }
        if time > SLOW {
            eprintln!("left out, as it takes {time:?}: {name}");
            return None;
        }
        let sites = text.lines().filter_map(|line| line.parse().ok()).collect();
        let name = name.clone();
        Some(Test {
            program,
            name,
            time,
            computed,
            sites,
        })
    });
    let _ = std::fs::remove_dir_all(&traces);
    tests.into_iter().flatten().collect()
}

/// Runs the tests that reach a mutant, the quickest first, until one notices it.
pub fn judge(number: u32, site: u32, tests: &[Test]) -> Verdict {
    let mut reaching: Vec<&Test> = tests
        .iter()
        .filter(|test| test.sites.contains(&site))
        .collect();
    if reaching.is_empty() {
        return Verdict::Unreached;
    }
    let rank = |test: &Test| (test.is_late(), test.program.number);
    reaching.sort_by_key(|test| (rank(test), test.time));
    for tests in reaching.chunk_by(|one, other| rank(one) == rank(other)) {
        let program = tests[0].program;
        let most = |of: fn(&Test) -> Duration| tests.iter().map(|test| of(test)).max();
        let limit = Limit {
            wait: LEAST.wait + most(|test| test.time).unwrap_or_default() * FACTOR,
            compute: LEAST.compute + most(|test| test.computed).unwrap_or_default() * FACTOR,
        };
        for tests in tests.chunks(200) {
            let mut run = command(program);
            choose(&mut run, program, tests.iter().map(|test| &test.name));
            run.env("ISOSOCKET_MUTANT", number.to_string());
            let (verdict, _) = watch(run, limit);
            if verdict != Verdict::Missed {
                return verdict;
            }
        }
    }
    Verdict::Missed
}

/// Runs a test program until a test fails, or all have passed, or one takes longer than
/// `limit`. Also says how long the program computed.
fn watch(mut run: Command, limit: Limit) -> (Verdict, Duration) {
    let Ok(child) = run.spawn() else {
        let verdict = Verdict::Caught("the program does not start".to_owned());
        return (verdict, Duration::ZERO);
    };
    let mut child = Guarded(child);
    let mut patience = Patience::new(child.0.id(), limit);
    let verdict = follow(&mut child.0, &mut patience);
    (verdict, patience.computed())
}

fn follow(child: &mut Child, patience: &mut Patience) -> Verdict {
    let Some(output) = child.stdout.take() else {
        return Verdict::Missed;
    };
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut last = String::new();
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(line) if line.starts_with("test result: ok") => return Verdict::Missed,
            Ok(line) if line.ends_with("... FAILED") || line.ends_with("... FAIL") => {
                let name = line.trim_start_matches("test ");
                let name = name.split(" ... ").next().unwrap_or_default();
                return Verdict::Caught(name.to_owned());
            }
            Ok(line) => {
                last = line;
                patience.renew();
            }
            Err(mpsc::RecvTimeoutError::Timeout) if patience.is_over() => {
                return Verdict::Hangs(last);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    Verdict::Caught(format!("the program ended early: {last}"))
}

/// A child that does not outlive its trial, nor do its own children.
struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.0.wait();
    }
}

/// Calls a function for each element, on several threads; keeps the order.
pub fn in_parallel<T: Sync, R: Send>(
    all: &[T],
    workers: usize,
    call: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(one) = all.get(index) else { return };
                    let result = call(one);
                    results
                        .lock()
                        .expect("no worker panics")
                        .push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().expect("no worker panics");
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
