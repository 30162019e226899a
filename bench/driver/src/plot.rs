//! The results as pictures: one SVG for each workload.
//!
//! Invariant: bars begin at zero; one that does not fit is cut visibly and
//! keeps its figure.

use std::fmt::Write;

use crate::plan::{FLOOR, Kind};
use crate::results::{Results, StepResults};
use crate::table::{number, value, workloads};

const WIDTH: f64 = 760.0;
const LABELS: f64 = 190.0;
const FIGURES: f64 = 110.0;
const ROW: f64 = 20.0;
const BAR: f64 = 14.0;
const MARGIN: f64 = 16.0;
const PANEL_HEAD: f64 = 30.0;

/// A bar's length beyond this multiple of the middle one's is cut.
const CUT: f64 = 5.0;

/// One row of a panel.
struct Bar<'a> {
    id: &'a str,
    name: &'a str,
    length: f64,
    figure: String,
}

/// The pictures, by file name.
pub fn render(results: &Results, prefix: &str) -> Vec<(String, String)> {
    workloads(results)
        .into_iter()
        .map(|workload| {
            let steps = results
                .steps
                .iter()
                .filter(|step| step.step.workload == workload);
            let panels: Vec<(String, Vec<Bar<'_>>)> = steps
                .map(|step| (number(step), bars(results, step)))
                .collect();
            let heading = format!("{}: {}", workload.title, unit(workload.kind));
            let name = format!("{prefix}-{}.svg", workload.name);
            (name, picture(&heading, &panels))
        })
        .collect()
}

/// The picture of pages' sizes; `None` of none.
pub fn sizes(sizes: &[(&str, &str, f64)]) -> Option<String> {
    let bar = |&(id, name, length)| Bar {
        id,
        name,
        length,
        figure: format!("{:.1} kB", length / 1e3),
    };
    let bars: Vec<Bar<'_>> = sizes.iter().map(bar).collect();
    let heading = "A minimal echo page, beyond an empty one: size, less is better";
    let panel = ("wasm and JavaScript, brotli".to_owned(), bars);
    (!sizes.is_empty()).then(|| picture(heading, &[panel]))
}

fn unit(kind: Kind) -> &'static str {
    match kind {
        Kind::Latency => "time, less is better",
        Kind::Rate => "messages a second, more is better",
        Kind::Added => "time for each message beyond the floor's, less is better",
        Kind::Crowd => "resident memory for each, less is better",
    }
}

fn bars<'a>(results: &'a Results, step: &StepResults) -> Vec<Bar<'a>> {
    let bar = |(index, client): (usize, &'a crate::plan::Client)| {
        let (length, figure) = match step.step.kind() {
            Kind::Crowd => {
                let bytes = step.outcomes[index].crowd?.bytes_each;
                (bytes, format!("{:.2} KiB", bytes / 1024.0))
            }
            Kind::Added if client.id == FLOOR => return None,
            kind => {
                let nanoseconds = match kind {
                    Kind::Added => step.added(index, &results.clients)?,
                    _ => step.nanoseconds(index)?,
                };
                let length = match kind {
                    Kind::Rate => 1e9 / nanoseconds,
                    // What is next to nothing may come out as less.
                    _ => nanoseconds.max(0.0),
                };
                (length, value(kind, nanoseconds))
            }
        };
        Some(Bar {
            id: &client.id,
            name: &client.name,
            length,
            figure,
        })
    };
    results.clients.iter().enumerate().filter_map(bar).collect()
}

fn picture(heading: &str, panels: &[(String, Vec<Bar<'_>>)]) -> String {
    let rows: usize = panels.iter().map(|(_, bars)| bars.len()).sum();
    let height = 2.0 * MARGIN + 24.0 + rows as f64 * ROW + panels.len() as f64 * PANEL_HEAD;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"{MARGIN}\" y=\"{}\" font-size=\"15\" font-weight=\"bold\" \
         fill=\"#1f2328\">{}</text>\n",
        MARGIN + 12.0,
        escape(heading)
    );
    let mut y = MARGIN + 24.0;
    for (title, bars) in panels {
        let _ = writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{}\" font-weight=\"bold\" fill=\"#59636e\">{}</text>",
            y + PANEL_HEAD - 10.0,
            escape(title)
        );
        y += PANEL_HEAD;
        y = panel(&mut svg, bars, y);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, bars: &[Bar<'_>], mut y: f64) -> f64 {
    let room = WIDTH - LABELS - FIGURES - 2.0 * MARGIN;
    let limit = limit(bars);
    for bar in bars {
        let cut = bar.length > limit;
        let width = (bar.length.min(limit) / limit * room).max(1.0);
        let (colour, weight) = match bar.id {
            id if id.starts_with("isosocket") => ("#0969da", "bold"),
            FLOOR => ("#1a7f37", "normal"),
            _ => ("#afb8c1", "normal"),
        };
        let x = MARGIN + LABELS;
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" font-weight=\"{weight}\" \
             fill=\"#1f2328\">{}</text>\
             <rect x=\"{x}\" y=\"{}\" width=\"{width:.1}\" height=\"{BAR}\" fill=\"{colour}\"/>",
            x - 8.0,
            y + 11.5,
            escape(bar.name),
            y + 1.0
        );
        if cut {
            let at = x + width * 0.9;
            let _ = writeln!(
                svg,
                "<path d=\"M{at:.1} {} l6 -9 l6 9 l6 -9\" transform=\"translate(0 3)\" \
                 stroke=\"#ffffff\" stroke-width=\"3\" fill=\"none\"/>",
                y + 9.0
            );
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" font-weight=\"{weight}\" fill=\"#1f2328\">{}</text>",
            x + width + 6.0,
            y + 11.5,
            escape(&bar.figure)
        );
        y += ROW;
    }
    y
}

/// The length that fills the picture: the longest bar, unless a few are so
/// long that the others could not be distinguished.
fn limit(bars: &[Bar<'_>]) -> f64 {
    let mut lengths: Vec<f64> = bars.iter().map(|bar| bar.length).collect();
    lengths.sort_by(f64::total_cmp);
    let Some(longest) = lengths.last() else {
        return 1.0;
    };
    let middle = lengths[lengths.len() / 2];
    let ours = bars
        .iter()
        .filter(|bar| bar.id.starts_with("isosocket"))
        .map(|bar| bar.length);
    // Ours are never cut.
    longest.min(ours.fold(middle * CUT, f64::max)).max(1e-9)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::{Bar, limit, picture};

    fn bar(id: &'static str, length: f64) -> Bar<'static> {
        Bar {
            id,
            name: id,
            length,
            figure: format!("{length}"),
        }
    }

    #[test]
    fn a_bar_that_is_far_too_long_is_cut() {
        let bars = [bar("raw", 1.0), bar("isosocket", 1.2), bar("x", 1000.0)];
        assert_eq!(limit(&bars), 6.0);
        let bars = [bar("raw", 1.0), bar("isosocket", 50.0), bar("x", 1.0)];
        assert_eq!(limit(&bars), 50.0);
    }

    #[test]
    fn a_picture_is_whole() {
        let svg = picture("a < b", &[("32 B".to_owned(), vec![bar("raw", 1.0)])]);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("a &lt; b") && svg.contains("raw"));
    }
}
