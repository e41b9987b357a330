//! Latency over time as an SVG: median, p99 and the longest, each of a quarter of a second, on a logarithmic scale. Needs nothing else to be looked at.

use std::fmt::Write as _;

use super::report::Report;
use super::waits::Point;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 40.0;
/// The lower end of the scale.
const LOWEST_MS: f64 = 0.1;

type Of = fn(&Point) -> f64;
const LINES: [(&str, &str, Of); 3] =
    [("p50", "#2563eb", |point| point.p50_ms), ("p99", "#d97706", |point| point.p99_ms), ("max", "#dc2626", |point| point.max_ms)];

struct Scale {
    last_s: f64,
    highest_ms: f64,
}

impl Scale {
    fn x(&self, at_s: f64) -> f64 {
        LEFT + (WIDTH - LEFT - RIGHT) * at_s / self.last_s
    }

    fn y(&self, ms: f64) -> f64 {
        let part = (ms.max(LOWEST_MS) / LOWEST_MS).log10() / (self.highest_ms / LOWEST_MS).log10();
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part
    }
}

/// Draws the first series of a report; nothing, where it has none.
pub(super) fn svg(report: &Report) -> Option<String> {
    let (name, points) = report.series.first().filter(|(_, points)| !points.is_empty())?;
    let highest = points.iter().map(|point| point.max_ms).fold(1.0, f64::max);
    let scale = Scale { last_s: points.last().map_or(1.0, |point| point.at_s).max(1.0), highest_ms: 10_f64.powf(highest.log10().ceil()) };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" role=\"img\">\n\
         <title>{title}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text x=\"{LEFT}\" y=\"24\" font-size=\"14\" fill=\"#111\">{title}: {name}, ms</text>\n",
        title = escape(&report.title),
        name = escape(name),
    );
    grid(&mut out, &scale);
    for (at_s, what) in &report.marks {
        let x = scale.x(*at_s);
        let _ = write!(
            out,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{:.1}\" stroke=\"#6b7280\" stroke-dasharray=\"4 3\"/>",
            HEIGHT - BOTTOM
        );
        let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\" fill=\"#374151\">{}</text>", x + 4.0, TOP + 12.0, escape(what));
    }
    for (place, (word, color, of)) in LINES.iter().enumerate() {
        let path: Vec<String> = points.iter().map(|point| format!("{:.1},{:.1}", scale.x(point.at_s), scale.y(of(point)))).collect();
        let _ = writeln!(out, "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\" points=\"{}\"/>", path.join(" "));
        let x = WIDTH - RIGHT - 150.0 + 50.0 * place as f64;
        let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"24\" fill=\"{color}\">{word}</text>");
    }
    out.push_str("</svg>\n");
    Some(out)
}

fn grid(out: &mut String, scale: &Scale) {
    let mut ms = LOWEST_MS;
    while ms <= scale.highest_ms * 1.001 {
        let y = scale.y(ms);
        let _ = write!(out, "<line x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\" stroke=\"#e5e7eb\"/>", WIDTH - RIGHT);
        let _ = writeln!(out, "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#6b7280\">{ms}</text>", LEFT - 8.0, y + 4.0);
        ms *= 10.0;
    }
    for part in 0..=4 {
        let at_s = scale.last_s * f64::from(part) / 4.0;
        let (x, y) = (scale.x(at_s), HEIGHT - BOTTOM + 18.0);
        let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" fill=\"#6b7280\">{at_s:.0} s</text>");
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_run_becomes_a_picture_and_one_without_waits_does_not() {
        let mut report = Report::new("deliver <3 nodes>".to_owned());
        assert_eq!(svg(&report), None);
        let mut waits = super::super::waits::Waits::new();
        for slot in 0..8 {
            waits.note(Duration::from_millis(250 * slot), Duration::from_millis(3 + slot));
        }
        report.series.push(("publish to confirm".to_owned(), waits.points()));
        report.marks.push((1.0, "n2 killed".to_owned()));
        let svg = svg(&report).expect("there are points");
        assert_eq!(svg.matches("<polyline").count(), 3);
        assert!(svg.contains("deliver &lt;3 nodes&gt;") && svg.contains("n2 killed") && !svg.contains("NaN"), "{svg}");
    }
}
