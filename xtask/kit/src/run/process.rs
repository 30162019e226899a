//! Children: started, logged, bounded by a deadline, and never left behind.
//!
//! Invariant: a child and all it started live no longer than the [`Job`] that
//! holds them, also when xtask itself is killed.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::workspace;

/// What to run: a program, its arguments and its additional environment.
#[derive(Clone, Debug, Default)]
pub struct Invocation {
    argv: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    stdout: Option<PathBuf>,
    folder: Option<PathBuf>,
}

impl Invocation {
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            argv: vec![program.as_ref().to_owned()],
            ..Self::default()
        }
    }

    /// The cargo that started xtask, so that `cargo +toolchain xtask` works.
    pub fn cargo() -> Self {
        Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    /// The program's name, without its folder.
    pub fn program(&self) -> String {
        let program = Path::new(&self.argv[0]);
        let name = program.file_name().unwrap_or(program.as_os_str());
        name.to_string_lossy().into_owned()
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.argv.push(argument.as_ref().to_owned());
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        for argument in arguments {
            self.argv.push(argument.as_ref().to_owned());
        }
        self
    }

    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.environment
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    pub fn envs<V: AsRef<OsStr>>(self, all: Vec<(&str, V)>) -> Self {
        let add = |command: Self, (name, value)| command.env(name, value);
        all.into_iter().fold(self, add)
    }

    /// Where it runs, instead of the workspace's root.
    pub fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Sends standard output to a file of its own instead of the log.
    pub fn stdout_to(mut self, file: &Path) -> Self {
        self.stdout = Some(file.to_owned());
        self
    }

    /// The command as one would type it, for logs and messages.
    pub fn line(&self) -> String {
        let environment = self.environment.iter().map(|(name, value)| {
            let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
            format!("{name}={}", quoted(&value))
        });
        let argv = self
            .argv
            .iter()
            .map(|argument| quoted(&argument.to_string_lossy()));
        environment.chain(argv).collect::<Vec<_>>().join(" ")
    }

    fn command(&self) -> Command {
        let mut command = supervised(&self.argv);
        for (name, _) in std::env::vars_os() {
            // Cargo describes xtask to xtask in variables that build scripts
            // watch; a cargo below this one would build their crates again,
            // and so would the next one that is called without us.
            let text = name.to_string_lossy();
            if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
                .iter()
                .any(|prefix| text.starts_with(prefix))
            {
                command.env_remove(&name);
            }
        }
        command
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.clone().unwrap_or_else(workspace::root))
            .stdin(Stdio::piped());
        command
    }

    /// Starts the child; what it prints is added to the log.
    pub fn spawn(&self, log: &Path) -> Result<Job, String> {
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .map_err(|error| format!("cannot open {}: {error}", workspace::relative(log)))?;
        writeln!(file, "$ {}", self.line()).map_err(|error| error.to_string())?;
        let stdout = match &self.stdout {
            Some(path) => File::create(path),
            None => file.try_clone(),
        }
        .map_err(|error| format!("cannot open a file for output: {error}"))?;
        let child = self
            .command()
            .stdout(stdout)
            .stderr(file)
            .spawn()
            .map_err(|error| format!("cannot start `{}`: {error}", self.line()))?;
        Ok(Job::new(child))
    }

    /// Runs the child to its end and returns what it printed to standard
    /// output, or `None` if it failed or took longer than the limit.
    pub fn output(&self, limit: Duration) -> Option<String> {
        let mut child = self
            .command()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut stdout = child.stdout.take()?;
        let mut job = Job::new(child);
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut bytes = Vec::new();
            // If reading fails the text is cut short, and the caller sees it.
            let _ = stdout.read_to_end(&mut bytes);
            let _ = sender.send(bytes);
        });
        let bytes = receiver.recv_timeout(limit).ok()?;
        match job.wait(limit, || {}) {
            Ended::Exited(status) if status.success() => {
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            _ => None,
        }
    }
}

/// A running child with everything it started; dropping it ends them all.
pub struct Job {
    child: Child,
    lifeline: Option<ChildStdin>,
}

/// How a child ended.
#[derive(Debug)]
pub enum Ended {
    Exited(ExitStatus),
    TimedOut,
    Lost(String),
}

impl Job {
    fn new(mut child: Child) -> Self {
        let lifeline = child.stdin.take();
        Self { child, lifeline }
    }

    /// Whether the child still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the child to end, calling `tick` about ten times a second.
    pub fn wait(&mut self, limit: Duration, mut tick: impl FnMut()) -> Ended {
        let start = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ended::Exited(status),
                Ok(None) if start.elapsed() >= limit => return Ended::TimedOut,
                Ok(None) => thread::sleep(pause),
                Err(error) => return Ended::Lost(error.to_string()),
            }
            pause = (pause * 2).min(Duration::from_millis(100));
            tick();
        }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        if !cfg!(unix) {
            // An error means that the child has ended already.
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// Wraps a command so that its whole process group ends with our end of a
/// pipe: a browser's driver starts the browser, and killing the one would
/// leave the other; and a killed xtask runs no destructor, but its pipes close.
#[cfg(unix)]
fn supervised(argv: &[OsString]) -> Command {
    use std::os::unix::process::CommandExt;

    const SUPERVISOR: &str = r#"
        exec 3<&0
        "$@" 3<&- </dev/null &
        child=$!
        {
            trap '' TERM
            read -r line <&3
            kill -TERM 0
            sleep 2
            kill -KILL 0
        } >/dev/null 2>&1 &
        exec 3<&-
        wait "$child"
    "#;
    let mut command = Command::new("sh");
    command
        .args(["-c", SUPERVISOR, "sh"])
        .args(argv)
        .process_group(0);
    command
}

#[cfg(not(unix))]
fn supervised(argv: &[OsString]) -> Command {
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]);
    command
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Ended, Invocation, quoted};
    use std::time::{Duration, Instant};

    #[test]
    fn a_line_can_be_pasted_into_a_shell() {
        let line = Invocation::new("cargo")
            .env("A", "b c")
            .args(["test", "it's"]);
        assert_eq!(line.line(), r"A='b c' cargo test 'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn output_is_what_the_child_printed() {
        let output = Invocation::new("cargo")
            .arg("--version")
            .output(Duration::from_secs(20));
        assert!(output.expect("cargo runs").starts_with("cargo "));
        assert_eq!(
            Invocation::new("no-such-program-anywhere").output(Duration::from_secs(20)),
            None
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_child_is_ended_with_all_it_started() {
        let file = std::env::temp_dir().join(format!("xtask-test-{}", std::process::id()));
        let start = Instant::now();
        let mut job = Invocation::new("sh")
            .args(["-c", "sleep 1000 & echo $!; wait"])
            .spawn(&file)
            .expect("sh starts");
        let ended = job.wait(Duration::from_millis(300), || {});
        assert!(matches!(ended, Ended::TimedOut), "{ended:?}");
        drop(job);
        assert!(start.elapsed() < Duration::from_secs(5));
        let log = std::fs::read_to_string(&file).expect("the log can be read");
        let _ = std::fs::remove_file(&file);
        let grandchild = log.lines().nth(1).expect("the child printed").to_owned();
        let deadline = Instant::now() + Duration::from_secs(10);
        while Invocation::new("kill")
            .args(["-0", &grandchild])
            .output(Duration::from_secs(5))
            .is_some()
        {
            assert!(Instant::now() < deadline, "{grandchild} was left behind");
        }
    }
}
