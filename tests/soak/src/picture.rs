//! A run as a picture: one panel for each figure, over the minutes of the run.
//!
//! Invariant: every scale begins at zero, so that flat looks flat; only that of times is
//! logarithmic.

use std::fmt::Write;

use crate::process::mebibytes;
use crate::sample::Sample;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 60.0;
const TOP: f64 = 46.0;
const PANEL: f64 = 96.0;
const GAP: f64 = 34.0;

const COLOURS: [&str; 3] = ["#0969da", "#bf8700", "#cf222e"];

/// What one panel shows.
struct Panel {
    title: &'static str,
    /// Each line with its name.
    lines: Vec<(&'static str, Vec<f64>)>,
    logarithmic: bool,
}

pub fn draw(samples: &[Sample], sockets: usize) -> String {
    let panels = panels(samples);
    let height = TOP + panels.len() as f64 * (PANEL + GAP) + 10.0;
    let times: Vec<f64> = samples.iter().map(|it| it.at / 60.0).collect();
    let end = times.last().copied().unwrap_or(1.0).max(1e-9);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\" \
         fill=\"#1f2328\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"24\" font-size=\"15\" font-weight=\"bold\">{sockets} sockets for \
         {end:.0} minutes, with traffic, faults and reconnects</text>\n"
    );
    for (index, panel) in panels.iter().enumerate() {
        let top = TOP + index as f64 * (PANEL + GAP) + 14.0;
        panel.draw(&mut svg, top, &times, end);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panels(samples: &[Sample]) -> Vec<Panel> {
    let line = |figure: fn(&Sample) -> f64| samples.iter().map(figure).collect::<Vec<f64>>();
    let one = |title, figure| Panel {
        title,
        lines: vec![("", line(figure))],
        logarithmic: false,
    };
    vec![
        Panel {
            title: "memory, MiB",
            lines: vec![
                ("resident", line(|it| mebibytes(it.process.memory))),
                ("allocated", line(|it| mebibytes(it.process.allocated))),
            ],
            logarithmic: false,
        },
        Panel {
            title: "descriptors, open sockets",
            lines: vec![
                ("all", line(|it| it.process.descriptors as f64)),
                ("open", line(|it| it.open as f64)),
            ],
            logarithmic: false,
        },
        one("threads", |it| it.process.threads as f64),
        one("wake-ups a second", |it| it.wake_ups),
        one("answers a second", |it| it.rate),
        one("connections established a second", |it| it.connects),
        Panel {
            title: "time to the answer, milliseconds, logarithmic",
            lines: vec![
                ("p50", line(|it| it.latencies[0] as f64 / 1e3)),
                ("p99", line(|it| it.latencies[1] as f64 / 1e3)),
                ("p99.9", line(|it| it.latencies[2] as f64 / 1e3)),
            ],
            logarithmic: true,
        },
    ]
}

impl Panel {
    fn draw(&self, svg: &mut String, top: f64, times: &[f64], end: f64) {
        let bottom = top + PANEL - 18.0;
        let all = || self.lines.iter().flat_map(|(_, line)| line.iter().copied());
        let most = all().fold(0.0, f64::max).max(1e-3);
        // Powers of ten on a logarithmic scale, else a round figure and zero.
        let (low, high) = match self.logarithmic {
            true => {
                let least = all().filter(|it| *it > 0.0).fold(most, f64::min);
                (least.log10().floor(), most.log10().ceil())
            }
            false => (0.0, round_up(most)),
        };
        let span = (high - low).max(1e-9);
        let height = |value: f64| {
            let value = match self.logarithmic {
                true => value.max(1e-3).log10(),
                false => value,
            };
            bottom - ((value - low) / span).clamp(0.0, 1.0) * (bottom - top)
        };
        let right = WIDTH - RIGHT;
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{}\" font-weight=\"bold\" fill=\"#59636e\">{}</text>",
            top - 5.0,
            self.title
        );
        for (y, value) in [(top, high), (bottom, low)] {
            let value = if self.logarithmic {
                10_f64.powf(value)
            } else {
                value
            };
            let _ = writeln!(
                svg,
                "<path d=\"M{LEFT} {y:.1}H{right}\" stroke=\"#d1d9e0\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                figure(value)
            );
        }
        for quarter in 0..=4_u8 {
            let share = f64::from(quarter) / 4.0;
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#59636e\">{} min</text>",
                LEFT + share * (right - LEFT),
                bottom + 13.0,
                figure(share * end)
            );
        }
        for ((name, line), colour) in self.lines.iter().zip(COLOURS) {
            let mut path = String::new();
            for (index, (time, value)) in times.iter().zip(line).enumerate() {
                let command = if index == 0 { 'M' } else { 'L' };
                let x = LEFT + time / end * (right - LEFT);
                let _ = write!(path, "{command}{x:.1} {:.1}", height(*value));
            }
            let last = line.last().copied().unwrap_or(0.0);
            let _ = writeln!(
                svg,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\
                 <text x=\"{}\" y=\"{:.1}\" fill=\"{colour}\">{name}</text>",
                right + 6.0,
                height(last) + 4.0
            );
        }
    }
}

/// The next of 1, 2 and 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0];
    let step = steps.iter().find(|step| **step * power >= value);
    step.unwrap_or(&10.0) * power
}

/// A number without zeros that say nothing.
fn figure(value: f64) -> String {
    match value {
        value if value >= 10.0 => format!("{value:.0}"),
        value => format!("{value:.2}")
            .trim_end_matches('0')
            .trim_end_matches('.')
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{draw, figure, round_up};
    use crate::sample::Sample;

    #[test]
    fn scales_end_at_round_figures() {
        assert_eq!(
            [1.0, 1.1, 9_999.0, 0.03].map(round_up),
            [1.0, 1.5, 10_000.0, 0.03]
        );
        assert_eq!(
            [0.0, 0.5, 2.5, 15_000.0].map(figure),
            ["0", "0.5", "2.5", "15000"]
        );
    }

    #[test]
    fn a_picture_is_whole() {
        let sample = |at| Sample {
            at,
            latencies: [100, 2_000, 30_000],
            ..Sample::default()
        };
        let svg = draw(&[sample(10.0), sample(20.0)], 5);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("5 sockets") && !svg.contains("NaN"));
        assert_eq!(svg.matches("stroke-width").count(), 11);
    }
}
