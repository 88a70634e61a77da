//! The checks of a run, and its findings.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::plan::Plan;

/// One of the matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matrix {
    /// Every route, called by everybody.
    Roles,
    /// Every place of an id, with another tenant's.
    Swap,
    /// The work of one tenant, while another tenant sends the most expensive requests.
    Neighbours,
}

impl Matrix {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::Swap => "swap",
            Self::Neighbours => "neighbours",
        }
    }
}

/// A violation.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The matrix that found it.
    pub matrix: Matrix,
    /// The route, by its name.
    pub route: &'static str,
    /// Method, path and query of the request.
    pub request: String,
    /// The caller, and the foreign part of the request.
    pub who: String,
    /// The expected answer.
    pub expected: String,
    /// The actual answer.
    pub got: String,
}

/// The effect of a tenant on another one that works meanwhile.
#[derive(Clone, Copy, Debug)]
pub struct Neighbours {
    /// The number of expensive requests.
    pub dear: usize,
    /// The times of the other one's requests without it: the median and the 99th percentile, in milliseconds.
    pub alone: [f64; 2],
    /// The same beside it.
    pub beside: [f64; 2],
    /// The seconds that the test took.
    pub seconds: u64,
}

impl Neighbours {
    /// The factors of the median and the 99th percentile.
    fn ratios(&self) -> [f64; 2] {
        [0, 1].map(|place| self.beside[place] / self.alone[place].max(f64::EPSILON))
    }
}

/// The checks of a run, and its findings.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The deployment.
    pub url: String,
    /// Checks of each route, by matrix.
    pub checks: BTreeMap<(Matrix, &'static str), u64>,
    /// What is not as it must be.
    pub violations: Vec<Violation>,
    /// The effect of noisy neighbours, if that was tried.
    pub neighbours: Option<Neighbours>,
    /// Seconds that were waited because the deployment asked for it.
    pub waited: u64,
    /// The announced plan.
    pub plan: Plan,
    /// The number of requests.
    pub sent: u64,
    /// Addresses of accounts that could not be deleted.
    pub accounts: Vec<String>,
    /// Slugs of tenants that could not be removed.
    pub left: Vec<String>,
}

impl Report {
    /// The number of checks of a matrix, and of the routes that they are about.
    fn count(&self, matrix: Matrix) -> (u64, usize) {
        let of_matrix = self.checks.iter().filter(|((of, _), _)| *of == matrix);
        of_matrix.fold((0, 0), |(checks, routes), (_, more)| (checks + more, routes + 1))
    }

    /// The report for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("Isolation of {}", self.url), String::new()];
        for matrix in [Matrix::Swap, Matrix::Roles, Matrix::Neighbours] {
            let (checks, routes) = self.count(matrix);
            if checks == 0 {
                continue;
            }
            let wrong = self.violations.iter().filter(|found| found.matrix == matrix).count();
            lines.push(format!(
                "  {:<10} {checks:>5} checks of {routes} routes, {wrong} violations",
                matrix.as_str()
            ));
        }
        for Violation { matrix, route, request, who, expected, got } in &self.violations {
            lines.push(String::new());
            lines.push(format!("VIOLATION ({}, {route}): {request}", matrix.as_str()));
            lines.push(format!("  asked by {who}"));
            lines.push(format!("  expected {expected}"));
            lines.push(format!("  got      {got}"));
        }
        lines.push(String::new());
        if let Some(neighbours) = &self.neighbours {
            let ([median, tail], Neighbours { dear, alone, beside, seconds }) =
                (neighbours.ratios(), neighbours);
            lines.push(format!(
                "Beside a tenant that asked {dear} times for the dearest, the median was {median:.1} times what it is without \
                 ({:.1} and {:.1} ms),",
                beside[0], alone[0]
            ));
            lines.push(format!(
                "the 99th percentile {tail:.1} times ({:.1} and {:.1} ms). That is for information; it took {seconds} s.",
                beside[1], alone[1]
            ));
        }
        if self.waited > 0 {
            lines.push(format!("Waited {} s because the deployment asked for it.", self.waited));
        }
        lines.extend(self.leftovers());
        lines.push(match self.violations.len() {
            0 => "No violation was found.".to_owned(),
            wrong => format!("{wrong} violations were found."),
        });
        lines
    }

    /// The leftovers.
    pub(super) fn leftovers(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.left.is_empty() {
            let left = self.left.join(", ");
            lines.push(format!("These tenants could not be removed; remove them yourself: {left}."));
        }
        if !self.accounts.is_empty() {
            let left = self.accounts.join(", ");
            lines.push(format!("These accounts could not be deleted: {left}."));
        }
        lines
    }

    /// The report as JSON.
    pub fn json(&self) -> Value {
        let checks = |matrix| {
            let of_matrix = self.checks.iter().filter(|((of, _), _)| *of == matrix);
            of_matrix.map(|((_, route), checks)| ((*route).to_owned(), json!(checks))).collect::<Value>()
        };
        let violation = |found: &Violation| {
            json!({
                "matrix": found.matrix.as_str(), "route": found.route, "request": found.request,
                "who": found.who, "expected": found.expected, "got": found.got,
            })
        };
        let neighbours = self.neighbours.map(|found| {
            let [median, tail] = found.ratios();
            json!({
                "dear_requests": found.dear, "median_ratio": median, "p99_ratio": tail,
                "alone_ms": found.alone, "beside_ms": found.beside, "seconds": found.seconds,
            })
        });
        json!({
            "url": self.url,
            "checks": {
                "swap": checks(Matrix::Swap), "roles": checks(Matrix::Roles),
                "neighbours": checks(Matrix::Neighbours),
            },
            "neighbours": neighbours,
            "violations": self.violations.iter().map(violation).collect::<Vec<_>>(),
            "expected": self.plan.json(),
            "requests": self.sent,
            "waited_seconds": self.waited,
            "accounts_left": self.accounts,
            "tenants_left": self.left,
        })
    }
}
