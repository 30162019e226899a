//! `cargo xtask parity`: the suite's reports as a matrix of rule × host, for
//! people: a page, and a summary for the docs.
//!
//! Invariant: the docs get a summary of a whole run only.

mod html;
mod markdown;
mod matrix;
mod rules;

use std::fs;

use crate::record::Run;
use crate::{test_all, workspace};

use matrix::Matrix;

/// The summary's place, from the workspace's root.
const SUMMARY: &str = "docs/parity.md";

pub fn main(arguments: &[String]) -> Result<bool, String> {
    let (run, good) = match arguments {
        [flag] if flag == "--last" => (Some(Run::load()?), true),
        _ if arguments.iter().any(|argument| argument == "--last") => {
            return Err("--last runs nothing, so it goes with no other argument".to_owned());
        }
        _ => test_all::run(arguments)?,
    };
    if let Some(run) = run {
        write(&run)?;
    }
    Ok(good)
}

fn write(run: &Run) -> Result<(), String> {
    let matrix = Matrix::new(run);
    let page = workspace::output()?.join("parity.html");
    fs::write(&page, html::page(&matrix))
        .map_err(|error| format!("cannot write the page: {error}"))?;
    println!("the matrix:  {}", workspace::relative(&page));
    if run.complete {
        workspace::folder("docs")?;
        fs::write(workspace::root().join(SUMMARY), markdown::summary(&matrix))
            .map_err(|error| format!("cannot write {SUMMARY}: {error}"))?;
        println!("the summary: {SUMMARY}");
    } else {
        println!("the summary: {SUMMARY} stays as it is; this was not a run of everything");
    }
    Ok(())
}
