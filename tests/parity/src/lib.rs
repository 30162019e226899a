//! What the cases of a suite saw on several hosts, as a matrix of rule and host: for
//! people, as a page and as Markdown.
//!
//! Invariant: nothing here runs a case or knows who ran it. A [`Run`] comes in, text goes
//! out.

mod case;
mod html;
mod markdown;
mod matrix;
mod rules;
mod run;

pub use case::{Case, Mark, Outcome, Tally, few};
pub use run::{Host, Run};

/// The matrix as a page: one file, with every case.
pub fn page(run: &Run) -> String {
    html::page(&matrix::Matrix::new(run))
}

/// The matrix as Markdown, short enough to be compared between runs.
pub fn summary(run: &Run) -> String {
    markdown::summary(&matrix::Matrix::new(run))
}
