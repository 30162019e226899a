//! `cargo xtask parity`: the suite's reports as a matrix of rule × host, for
//! people: a page, and a summary for the docs.
//!
//! Invariant: the docs get a summary of a whole run only.

use std::fs;

use isosocket_parity::Run;

use crate::run::workspace;
use crate::suite::{self, Set, record};

/// The summary's place, from the workspace's root.
const SUMMARY: &str = "docs/parity.md";

pub fn main(arguments: &[String]) -> Result<bool, String> {
    if arguments == ["--last"] {
        write(&record::last()?)?;
        return Ok(true);
    }
    if arguments.iter().any(|argument| argument == "--last") {
        return Err("--last runs nothing, so it goes with no other argument".to_owned());
    }
    let Some(good) = suite::run(arguments, Set::All)? else {
        return Ok(true);
    };
    write(&record::last()?)?;
    Ok(good)
}

fn write(run: &Run) -> Result<(), String> {
    let page = workspace::output()?.join("parity.html");
    fs::write(&page, isosocket_parity::page(run))
        .map_err(|error| format!("cannot write the page: {error}"))?;
    println!("the matrix:  {}", workspace::relative(&page));
    if run.complete {
        workspace::folder("docs")?;
        fs::write(
            workspace::root().join(SUMMARY),
            isosocket_parity::summary(run),
        )
        .map_err(|error| format!("cannot write {SUMMARY}: {error}"))?;
        println!("the summary: {SUMMARY}");
    } else {
        println!("the summary: {SUMMARY} stays as it is; this was not a run of everything");
    }
    Ok(())
}
