//! Imports from a file. The whole file is checked before any part of it is sent; then it is sent in parts, without
//! those that an earlier, interrupted run has sent.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read},
    path::Path,
};

use bailiwick_core::{
    limits,
    transfer::{Digest, canonical},
};
use serde_json::{Map, Value, json};

use super::{Failure, Progress, Side};

/// The maximum of a line, in bytes: more than any row can have.
const LINE_BYTES: u64 = limits::BODY_BYTES as u64;
/// The size of rows that are sent together, in bytes: less than a body may have.
const PART_BYTES: usize = limits::BODY_BYTES / 4;

/// How often another process may send the same at the same time.
const CONFLICTS: u32 = 20;

/// The options of an import.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Another slug for the tenant, if there is one.
    pub slug: Option<String>,
    /// Whether everything gets new ids.
    pub new_ids: bool,
    /// Whether an earlier unfinished import is aborted first.
    pub anew: bool,
}

/// The imported tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// The id of the tenant.
    pub tenant: String,
    /// Its slug.
    pub slug: String,
    /// Its rows.
    pub rows: u64,
    /// The number of rows that an earlier run had sent.
    pub before: u64,
}

/// The head, the totals, and the number of rows between them.
struct Checked {
    head: Map<String, Value>,
    rows: u64,
    sha256: String,
}

/// Imports a tenant.
///
/// # Errors
/// The reason why it was not imported; then nothing of it can be seen. Rows that were sent stay for a day, for the next
/// run to continue, unless they were refused.
pub async fn import(
    side: &Side,
    path: &Path,
    wanted: &Wanted,
    progress: Progress<'_>,
) -> Result<Brought, Failure> {
    let Checked { head, rows, sha256 } = check(path)?;
    let mut wish = head;
    if let Some(slug) = &wanted.slug {
        wish.insert("as_slug".to_owned(), slug.as_str().into());
    }
    wish.insert("new_ids".to_owned(), wanted.new_ids.into());
    let wish = Value::Object(wish);
    let mut begun = side.begin(wish.clone()).await.map_err(|failure| told(failure, |_| 1))?;
    if wanted.anew && begun["next"] != 0 {
        side.abort(begun["tenant_id"].as_str().unwrap_or_default()).await?;
        begun = side.begin(wish).await?;
    }
    let text = |name: &str| begun[name].as_str().unwrap_or_default().to_owned();
    let (tenant, slug) = (text("tenant_id"), text("slug"));
    let before = begun["next"].as_u64().unwrap_or_default();
    let (mut next, mut conflicts) = (before, 0);
    while next < rows {
        let mut lines = Lines::open(path)?;
        lines.skip(next)?;
        // As long as the answer accepts the rows, the file is read on.
        loop {
            let (first, part) = (next, lines.part()?);
            if part.is_empty() {
                break;
            }
            let after = first + part.len() as u64;
            let sent = side.add(&tenant, json!({ "first": first, "rows": part })).await;
            match sent {
                Ok(answer) => next = answer["next"].as_u64().unwrap_or_default(),
                // Another process sends the same file: ask for its progress.
                Err(failure) if failure.code == "conflict" && conflicts < CONFLICTS => conflicts += 1,
                Err(failure) if failure.faults.is_empty() => return Err(failure),
                Err(failure) => return Err(refused(side, &tenant, first, failure).await),
            }
            progress(next);
            if next != after {
                break;
            }
        }
    }
    let done = side.finish(&tenant, json!({ "rows": rows, "sha256": sha256 })).await;
    match done {
        Ok(()) => Ok(Brought { tenant, slug, rows, before }),
        Err(failure) => {
            // An import that cannot be finished is removed.
            if failure.code == "import_mismatch" {
                let _ = side.abort(&tenant).await;
            }
            Err(failure)
        }
    }
}

/// The faults, with the numbers of the lines. Nothing of the import is left.
async fn refused(side: &Side, tenant: &str, first: u64, failure: Failure) -> Failure {
    // The head is line 1.
    let mut failure = told(failure, |row| first + 2 + row as u64);
    if let Err(other) = side.abort(tenant).await {
        let sentence =
            format!("{} (What was sent could not be removed: {})", failure.sentence, other.sentence);
        failure.sentence = sentence;
    }
    failure
}

/// Names the faults with their lines.
fn told(mut failure: Failure, line: impl Fn(usize) -> u64) -> Failure {
    if failure.faults.is_empty() {
        return failure;
    }
    let mut said: Vec<_> = failure
        .faults
        .iter()
        .take(10)
        .map(|(row, detail)| format!("line {}: {detail}", line(*row)))
        .collect();
    if failure.faults.len() > said.len() {
        said.push(format!("and {} more", failure.faults.len() - said.len()));
    }
    failure.sentence = format!("The file is refused: {}", said.join(" / "));
    failure
}

/// Reads the whole file, and checks it against its totals.
fn check(path: &Path) -> Result<Checked, Failure> {
    let mut lines = Lines::open(path)?;
    let head = lines.next()?.ok_or_else(|| Failure::new("The file is empty."))?;
    let Value::Object(members) = &head else {
        return Err(Failure::new("Line 1 is not the head of an export."));
    };
    if !members.contains_key("bailiwick_export") {
        return Err(Failure::new("Line 1 is not the head of an export."));
    }
    let head = members.clone();
    let mut digest = Digest::of_head(&Value::Object(head.clone()));
    let (mut rows, mut tables) = (0, BTreeMap::<String, u64>::new());
    while let Some(record) = lines.next()? {
        if let Some(totals) = record.get("totals") {
            if lines.next()?.is_some() {
                return Err(Failure::new(format!("Line {}: nothing comes after the totals.", lines.number)));
            }
            if totals["rows"] != rows || totals["tables"] != json!(tables) {
                return Err(Failure::new(format!(
                    "The file has {rows} rows ({tables:?}), and should have {totals}."
                )));
            }
            if totals["sha256"] != digest.as_str() {
                return Err(Failure::new(
                    "The file was altered: its lines have another digest than its totals say.",
                ));
            }
            return Ok(Checked { head, rows, sha256: digest.as_str().to_owned() });
        }
        digest = digest.and(&canonical(&record));
        *tables.entry(record["table"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        rows += 1;
    }
    Err(Failure::new(format!("The file was cut off: it has {rows} rows and no totals.")))
}

/// The lines of a file, one at a time.
struct Lines {
    file: BufReader<File>,
    number: u64,
    /// A line that did not fit into a part.
    kept: Option<Value>,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, Failure> {
        let file = File::open(path);
        let file =
            file.map_err(|error| Failure::new(format!("{} cannot be read: {error}.", path.display())))?;
        Ok(Self { file: BufReader::new(file), number: 0, kept: None })
    }

    fn raw(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let mut line = Vec::new();
        let unread = |error: std::io::Error| Failure::new(format!("The file cannot be read: {error}."));
        let read = (&mut self.file).take(LINE_BYTES + 1).read_until(b'\n', &mut line).map_err(unread)?;
        self.number += 1;
        if read as u64 > LINE_BYTES {
            return Err(Failure::new(format!(
                "Line {}: a line has at most {LINE_BYTES} bytes.",
                self.number
            )));
        }
        Ok((read > 0).then_some(line))
    }

    fn next(&mut self) -> Result<Option<Value>, Failure> {
        if let Some(kept) = self.kept.take() {
            return Ok(Some(kept));
        }
        let Some(line) = self.raw()? else { return Ok(None) };
        let read = serde_json::from_slice(&line);
        read.map(Some)
            .map_err(|error| Failure::new(format!("Line {}: it is not JSON: {error}.", self.number)))
    }

    /// Skips the head and this many rows.
    fn skip(&mut self, rows: u64) -> Result<(), Failure> {
        for _ in 0..=rows {
            self.raw()?;
        }
        Ok(())
    }

    /// The rows that are sent together; none at the end.
    fn part(&mut self) -> Result<Vec<Value>, Failure> {
        let (mut part, mut bytes) = (Vec::new(), 0);
        while part.len() < limits::MOVED_ROWS as usize
            && let Some(record) = self.next()?
        {
            if record.get("totals").is_some() {
                break;
            }
            let length = record.to_string().len();
            if bytes + length > PART_BYTES && !part.is_empty() {
                self.kept = Some(record);
                break;
            }
            bytes += length;
            part.push(record);
        }
        Ok(part)
    }
}
