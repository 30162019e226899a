//! The matrix as a page: one file, without anything from elsewhere, for a desk
//! and a phone.
//!
//! Invariant: all that hosts reported is escaped; without scripts the matrix
//! is still whole, and only filters and the cases of a rule are missing.

use std::fmt::Write;

use crate::case::{Mark, Outcome, Tally};

use crate::matrix::{CaseLine, Kind, Matrix, RuleLine, family_name, observed};
use crate::rules;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The kinds with what the legend says of them, as far as they occur in cells.
const LEGEND: &[(Kind, &str)] = &[
    (Kind::Pass, "holds"),
    (Kind::Same, "recorded, as natively"),
    (Kind::Deviation, "otherwise than natively"),
    (Kind::NotApplicable, "not applicable, for a stated reason"),
    (Kind::Fail, "fails"),
    (Kind::Silent, "not reported"),
    (Kind::NoWebSocket, "no WebSocket here"),
];

/// How many cases the title of a cell names, and how long each may be.
const TITLE_LINES: usize = 8;
const TITLE_WIDTH: usize = 110;

pub fn page(matrix: &Matrix) -> String {
    let mut body = String::new();
    header(&mut body, matrix);
    body.push_str("<div class=\"scroll\" tabindex=\"0\"><table>\n<thead>\n");
    columns(&mut body, matrix);
    body.push_str("</thead>\n<tbody>\n");
    for (index, rule) in matrix.rules.iter().enumerate() {
        if let Some(title) = rules::group(rule.number) {
            heading(&mut body, matrix, index, title);
        }
        line(&mut body, matrix, rule);
    }
    body.push_str("</tbody>\n</table></div>\n");
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>isosocket: one behaviour everywhere</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n{body}<script>\n{SCRIPT}</script>\n</body>\n</html>\n"
    )
}

/// Adds to the page. Writing to a string does not fail.
macro_rules! add {
    ($out:expr, $($text:tt)*) => {{ let _ = write!($out, $($text)*); }};
}

fn header(out: &mut String, matrix: &Matrix) {
    let cases = || matrix.rules.iter().flat_map(|rule| &rule.cases);
    let count = |mark: Mark| cases().filter(|case| case.mark == mark).count();
    let failed: usize = matrix.hosts.iter().map(|row| row.failures().count()).sum();
    add!(
        out,
        "<header>\n<h1>One behaviour everywhere</h1>\n\
         <p>What a program that uses isosocket observes, rule by rule, on every host. \
         {} UTC.</p>\n<ul class=\"figures\">\n",
        escape(&matrix.run.date)
    );
    let hosts = matrix.with_websocket().len();
    let bad = if failed > 0 { " class=\"bad\"" } else { "" };
    add!(out, "<li><b>{}</b> rules</li>", matrix.rules.len());
    add!(out, "<li><b>{hosts}</b> hosts with a WebSocket</li>");
    add!(
        out,
        "<li title=\"M: asserted on every host. N: asserted natively, recorded elsewhere. \
         U: recorded only.\"><b>{}</b> cases: {} M, {} N, {} U</li>",
        cases().count(),
        count(Mark::M),
        count(Mark::N),
        count(Mark::U)
    );
    add!(out, "<li{bad}><b>{failed}</b> failed</li>\n</ul>\n");
    out.push_str("<ul class=\"legend\">\n");
    for (kind, text) in LEGEND {
        if matrix.rules.iter().any(|rule| rule.kinds.contains(kind)) {
            add!(out, "<li>{} {text}</li>\n", badge(*kind, ""));
        }
    }
    out.push_str("</ul>\n<details><summary>Versions</summary>\n<ul class=\"versions\">\n");
    for family in matrix.families() {
        let row = matrix.hosts[family[0]];
        add!(
            out,
            "<li>{}: {}</li>\n",
            escape(family_name(row)),
            escape(&row.version)
        );
    }
    for (name, version) in &matrix.run.libraries {
        add!(out, "<li>{} {}</li>\n", escape(name), escape(version));
    }
    out.push_str(
        "</ul></details>\n<p class=\"controls\">\
         <label><input type=\"checkbox\" id=\"only\"> differences only</label>\
         <label>find <input type=\"search\" id=\"find\" placeholder=\"S84, ping, close\"></label>\
         </p>\n</header>\n",
    );
}

/// The head of the table: browsers with their kinds, the others by themselves.
fn columns(out: &mut String, matrix: &Matrix) {
    let families = matrix.families();
    out.push_str("<tr><th class=\"rule\" rowspan=\"2\" scope=\"col\">rule</th>");
    for family in &families {
        let row = matrix.hosts[family[0]];
        let (name, title) = (escape(family_name(row)), escape(&row.version));
        match family.len() {
            1 => add!(
                out,
                "<th class=\"alone\" rowspan=\"2\" scope=\"col\" title=\"{title}\">\
                 <span>{name}</span></th>"
            ),
            width => add!(
                out,
                "<th class=\"first\" colspan=\"{width}\" scope=\"colgroup\" title=\"{title}\">\
                 {name}</th>"
            ),
        }
    }
    out.push_str("</tr>\n<tr>");
    for family in families.iter().filter(|family| family.len() > 1) {
        for (place, index) in family.iter().enumerate() {
            let row = matrix.hosts[*index];
            let kind = row.name.strip_prefix(family_name(row));
            let kind = kind.unwrap_or(&row.name).trim();
            let kind = kind.strip_suffix(" worker").unwrap_or(kind);
            let class = if place == 0 { " class=\"first\"" } else { "" };
            let tally = Tally::of(&row.cases);
            let Tally { passed, .. } = tally;
            let problem = match row.problem.as_str() {
                "" => String::new(),
                problem => format!(" FAIL: {problem}"),
            };
            let title = format!(
                "{}: {passed} of {} M cases passed, {} not applicable, \
                 {} known to fail.{problem}",
                row.name,
                tally.total(),
                tally.not_applicable,
                tally.deviating
            );
            add!(
                out,
                "<th{class} scope=\"col\" title=\"{}\"><span>{}</span></th>",
                escape(&title),
                escape(kind)
            );
        }
    }
    out.push_str("</tr>\n");
}

/// The heading of a group of rules; `first` is the place of its first rule.
fn heading(out: &mut String, matrix: &Matrix, first: usize, title: &str) {
    let more = matrix.rules[first + 1..].iter();
    let rest = more.take_while(|rule| rules::group(rule.number).is_none());
    let differs = std::iter::once(&matrix.rules[first])
        .chain(rest)
        .any(RuleLine::differs);
    add!(
        out,
        "<tr class=\"group{}\"><th class=\"rule\" scope=\"rowgroup\">{}</th>\
         <td colspan=\"{}\"></td></tr>\n",
        if differs { " differs" } else { "" },
        escape(title),
        matrix.hosts.len()
    );
}

fn line(out: &mut String, matrix: &Matrix, rule: &RuleLine) {
    let differs = if rule.differs() { " differs" } else { "" };
    add!(
        out,
        "<tr class=\"line{differs}\" id=\"S{0}\"><th class=\"rule\" scope=\"row\">\
         <button aria-expanded=\"false\" title=\"{1} cases\"><b>S{0}</b><i>{2:?}</i>\
         <span>{3}</span></button></th>",
        rule.number,
        rule.cases.len(),
        rule.rule.mark,
        escape(rule.rule.text)
    );
    for (index, kind) in rule.kinds.iter().enumerate() {
        let starts = index == 0 || matrix.hosts[index].family() != matrix.hosts[index - 1].family();
        let class = if starts { " class=\"first\"" } else { "" };
        let title = cell_title(matrix, rule, index);
        add!(out, "<td{class}>{}</td>", badge(*kind, &title));
    }
    add!(
        out,
        "</tr>\n<tr class=\"more{differs}\" hidden><td colspan=\"{}\"><div>\n<dl>\n",
        matrix.hosts.len() + 1
    );
    for case in &rule.cases {
        details(out, matrix, case);
    }
    out.push_str("</dl>\n</div></td></tr>\n");
}

/// A case, and what was seen of it on which hosts.
fn details(out: &mut String, matrix: &Matrix, case: &CaseLine) {
    let name = case.name.split_once(": ");
    let (table, value) = name.map_or((case.name, None), |(table, value)| (table, Some(value)));
    let table = table.replace('_', " ");
    add!(out, "<dt>{}", escape(&table));
    if let Some(value) = value {
        add!(out, " <code>{}</code>", escape(value));
    }
    add!(out, " <i>{:?}</i></dt>\n", case.mark);
    for group in case.groups() {
        let seen = match group.case.map(|case| (&case.outcome, &case.seen)) {
            Some((Outcome::NotApplicable(reason), _)) => escape(reason),
            Some((Outcome::Deviation(reason), seen)) => {
                format!("<code>{}</code> ({})", escape(seen), escape(reason))
            }
            Some((_, seen)) if seen.is_empty() => String::new(),
            Some((_, seen)) => format!("<code>{}</code>", escape(seen)),
            None => "not reported".to_owned(),
        };
        let hosts = escape(&matrix.names(&group.hosts));
        add!(out, "<dd>{} {hosts}: {seen}</dd>\n", badge(group.kind, ""));
    }
}

/// What was seen on a host under a rule, the worst first.
fn cell_title(matrix: &Matrix, rule: &RuleLine, index: usize) -> String {
    let mut cases: Vec<&CaseLine> = rule.cases.iter().collect();
    cases.sort_by_key(|case| std::cmp::Reverse(case.cells[index].0));
    let host = &matrix.hosts[index].name;
    let mut title = format!("S{}, {host}: {}", rule.number, word(rule.kinds[index]));
    if rule.kinds[index] == Kind::NoWebSocket {
        return title;
    }
    for case in cases.iter().take(TITLE_LINES) {
        let (kind, found) = case.cells[index];
        let seen = match found.map(|case| (&case.outcome, &case.seen)) {
            Some((Outcome::NotApplicable(reason), _)) => reason.clone(),
            Some((_, seen)) => observed(seen),
            None => String::new(),
        };
        let line = format!("{} {}: {seen}", kind.sign(), case.name);
        title.push('\n');
        title.extend(line.chars().take(TITLE_WIDTH));
    }
    match cases.len().saturating_sub(TITLE_LINES) {
        0 => title,
        more => format!("{title}\nand {more} more cases"),
    }
}

/// A sign in its colour, with the text for a pointer or a screen reader.
fn badge(kind: Kind, title: &str) -> String {
    let (class, sign) = (class(kind), kind.sign());
    match title {
        "" => format!("<span class=\"{class}\">{sign}</span>"),
        title => format!(
            "<span class=\"{class}\" title=\"{}\">{sign}</span>",
            escape(title)
        ),
    }
}

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::NoWebSocket => "k none",
        Kind::NotApplicable => "k na",
        Kind::Same => "k same",
        Kind::Pass => "k pass",
        Kind::Deviation => "k other",
        Kind::Silent => "k silent",
        Kind::Fail => "k fail",
    }
}

fn word(kind: Kind) -> &'static str {
    let entry = LEGEND.iter().find(|(other, _)| *other == kind);
    entry.map_or("", |(_, text)| *text)
}

/// Text as HTML, also inside a quoted attribute.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            // HTML has no NUL, and control characters show nothing.
            c if c.is_control() => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{escape, page};
    use crate::matrix::{Matrix, tests::run};
    use crate::rules::RULES;

    #[test]
    fn what_hosts_reported_is_escaped() {
        let run = run(&[("native", &["S1 M pass <script>\"&\"\u{0}"])]);
        let page = page(&Matrix::new(&run));
        assert!(page.contains("&lt;script&gt;&quot;&amp;&quot;\\u{0}"));
        assert_eq!(page.matches("<script>").count(), 1);
        assert_eq!(escape("a\nb"), "a&#10;b");
    }

    #[test]
    fn a_page_has_a_cell_for_each_rule_and_host_and_marks_differences() {
        let run = run(&[
            ("native", &["S84 N pass error"]),
            ("chromium-window", &["S84 N recorded open"]),
            ("chromium-shared", &["S84 N recorded error"]),
            ("node20", &["S103 M pass ok"]),
        ]);
        let page = page(&Matrix::new(&run));
        assert_eq!(page.matches("<tr class=\"line").count(), RULES.len());
        let line = page.split("id=\"S84\"").nth(1).expect("S84 has a line");
        let line = line.split("</tr>").next().expect("it ends");
        assert_eq!(line.matches("<td").count(), 4);
        assert!(line.contains("S84, Chromium window: otherwise than natively"));
        assert!(page.contains("<tr class=\"line differs\" id=\"S84\">"));
    }
}
