//! The approval workflow as a drawing, made from the table of transitions: `site/workflow.svg` is checked in, and a
//! test compares it with this generator.
//!
//! The statuses are placed here by hand. An arrow that was not drawn by hand is straight, so a new line of the table is
//! in the drawing at once.

use crate::{
    domain::workflow::{TRANSITIONS, Transition},
    kernel::values::enumerations::ProjectStatus::{
        self, Approved, Archived, Completed, Draft, InProgress, Rejected, Submitted,
    },
};

const WIDTH: i32 = 820;
const HEIGHT: i32 = 408;
/// Half of a box.
const HALF: (i32, i32) = (62, 22);

/// The colours are those of `site/style.css`, where the page that shows the drawing takes them from.
const STYLE: &str = "\
.workflow { --w-ink: #1c2321; --w-soft: #55605c; --w-line: #7b8783; --w-box: #ffffff; --w-edge: #1a6654; font: 14px system-ui, sans-serif }
@media (prefers-color-scheme: dark) { .workflow { --w-ink: #e8eeeb; --w-soft: #a9b6b1; --w-line: #7f8d88; --w-box: #111715; --w-edge: #5cc7a8 } }
.workflow rect { fill: var(--w-box); stroke: var(--w-edge); stroke-width: 1.5 }
.workflow .final rect { stroke-dasharray: 5 4 }
.workflow path { fill: none; stroke: var(--w-line); stroke-width: 1.5 }
.workflow .head, .workflow .start { fill: var(--w-line); stroke: none }
.workflow text { fill: var(--w-soft) }
.workflow .name { fill: var(--w-ink); font-weight: 600; text-anchor: middle }
.workflow .role { fill: var(--w-ink) }
.workflow .middle { text-anchor: middle }
.workflow .end { text-anchor: end }
";

/// The middle of a status' box.
const fn place(status: ProjectStatus) -> (i32, i32) {
    match status {
        Draft => (84, 62),
        Submitted => (366, 62),
        Approved => (648, 62),
        Rejected => (366, 212),
        InProgress => (648, 212),
        Completed => (648, 372),
        Archived => (366, 372),
    }
}

/// The ends of an arrow, and its label's anchor and place.
struct Drawn {
    path: String,
    anchor: &'static str,
    label: (i32, i32),
}

fn draw(from: ProjectStatus, to: ProjectStatus) -> Drawn {
    let ((x1, y1), (x2, y2), (w, h)) = (place(from), place(to), HALF);
    let (path, anchor, label) = match (from, to) {
        (Draft, Submitted) => (format!("M{} {}H{}", x1 + w, y1 - 10, x2 - w - 2), "middle", (225, 38)),
        (Submitted, Draft) => (format!("M{} {}H{}", x1 - w, y1 + 10, x2 + w + 2), "middle", (225, 92)),
        (Submitted, Approved) => (format!("M{} {y1}H{}", x1 + w, x2 - w - 2), "middle", (507, 30)),
        (Submitted, Rejected) => (format!("M{x1} {}V{}", y1 + h, y2 - h - 2), "after", (376, 132)),
        (Approved, InProgress) => (format!("M{x1} {}V{}", y1 + h, y2 - h - 2), "after", (658, 142)),
        (Rejected, Draft) => {
            let x = x2 + 24;
            (
                format!("M{} {y1}H{}Q{x} {y1} {x} {}V{}", x1 - w, x + 10, y1 - 10, y2 + h + 2),
                "middle",
                (206, 204),
            )
        }
        (Rejected, Archived) => (format!("M{x1} {}V{}", y1 + h, y2 - h - 2), "after", (376, 297)),
        (Draft, Archived) => {
            let x = x1 - 24;
            (
                format!("M{x} {}V{}Q{x} {y2} {} {y2}H{}", y1 + h, y2 - 10, x + 10, x2 - w - 2),
                "middle",
                (182, 364),
            )
        }
        (InProgress, Completed) => (format!("M{} {}V{}", x1 + 10, y1 + h, y2 - h - 2), "after", (668, 288)),
        (Completed, InProgress) => (format!("M{} {}V{}", x1 - 10, y1 - h, y2 + h + 2), "end", (628, 288)),
        (Completed, Archived) => (format!("M{} {y1}H{}", x1 - w, x2 + w + 2), "middle", (507, 364)),
        _ => {
            let (x, y) = edge((x1, y1), (x2, y2));
            let middle = (i32::midpoint(x1, x), i32::midpoint(y1, y));
            (format!("M{x1} {y1}L{x} {y}"), "middle", middle)
        }
    };
    Drawn { path, anchor, label }
}

/// Where a straight arrow meets the box that it leads to.
const fn edge((x1, y1): (i32, i32), (x2, y2): (i32, i32)) -> (i32, i32) {
    let ((dx, dy), (w, h)) = ((x2 - x1, y2 - y1), HALF);
    if dx.abs() * h > dy.abs() * w {
        (x2 - dx.signum() * w, y2 - dy * w / dx.abs())
    } else if dy == 0 {
        (x2, y2)
    } else {
        (x2 - dx * h / dy.abs(), y2 - dy.signum() * h)
    }
}

fn arrow(transition: &Transition) -> String {
    let (from, to) = (transition.from.as_str(), transition.to.as_str());
    let Drawn { path, anchor, label: (x, y) } = draw(transition.from, transition.to);
    let role = transition.required_role.as_str();
    let guards = (1..).zip(transition.guards).map(|(line, guard)| {
        let (y, words) = (y + 17 * line, guard.in_words());
        format!("<text class=\"{anchor}\" x=\"{x}\" y=\"{y}\">{words}</text>\n")
    });
    let guards: String = guards.collect();
    format!(
        r#"<g id="{from}-{to}">
<path d="{path}" marker-end="url(#head)"/>
<text class="role {anchor}" x="{x}" y="{y}">{role}</text>
{guards}</g>
"#
    )
}

fn status(status: ProjectStatus) -> String {
    let ((x, y), (w, h), name) = (place(status), HALF, status.as_str());
    let last = !TRANSITIONS.iter().any(|transition| transition.from == status);
    let class = if last { r#" class="final""# } else { "" };
    let (left, top, width, height, line) = (x - w, y - h, 2 * w, 2 * h, y + 5);
    format!(
        r#"<g id="{name}"{class}>
<rect x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>
<text class="name" x="{x}" y="{line}">{name}</text>
</g>
"#
    )
}

/// A line of the table as text, for people who cannot see the drawing.
fn told(transition: &Transition) -> String {
    let Transition { from, to, required_role, guards } = transition;
    let guards: String = guards.iter().map(|guard| format!(", {}", guard.in_words())).collect();
    format!(" From {} to {}: {}{guards}.", from.as_str(), to.as_str(), required_role.as_str())
}

/// The drawing: an SVG document that brings its own style, light and dark.
pub fn svg() -> String {
    let (x, y) = place(Draft);
    let top = y - HALF.1;
    let (dot, from, to) = (top - 28, top - 24, top - 2);
    let told: String = TRANSITIONS.iter().map(told).collect();
    let arrows: String = TRANSITIONS.iter().map(arrow).collect();
    let statuses: String = ProjectStatus::ALL.iter().copied().map(status).collect();
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" class="workflow" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="workflow-title workflow-description">
<title id="workflow-title">The approval workflow</title>
<desc id="workflow-description">A project begins as a draft.{told}</desc>
<style>
{STYLE}</style>
<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path class="head" d="M0 0L10 5L0 10z"/></marker></defs>
<circle class="start" cx="{x}" cy="{dot}" r="5"/>
<path d="M{x} {from}V{to}" marker-end="url(#head)"/>
{arrows}{statuses}</svg>
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_straight_arrow_ends_where_the_box_begins() {
        for from in ProjectStatus::ALL {
            for to in ProjectStatus::ALL.iter().filter(|to| *to != from) {
                let ((x, y), (w, h)) = (place(*to), HALF);
                let end = edge(place(*from), (x, y));
                let (dx, dy) = ((end.0 - x).abs(), (end.1 - y).abs());
                assert!((dx == w && dy <= h) || (dy == h && dx <= w), "{from:?} to {to:?}: {dx} {dy}");
            }
        }
    }
}
