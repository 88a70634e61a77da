//! Exports into a file. If the tenant changes while it is read, the written part is thrown away and it is read again.

use std::{
    collections::BTreeMap,
    io::{BufWriter, Seek, Write},
    time::Duration,
};

use bailiwick_core::transfer::{Digest, canonical};
use serde_json::{Value, json};

use super::{Failure, Progress, Side};

/// The number of attempts with a tenant that changes.
const ATTEMPTS: u32 = 10;
/// The number of checks whether all entries of the activity are sealed.
const LOOKS: u32 = 120;

/// The exported tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its rows.
    pub rows: u64,
    /// The number of rows of each table.
    pub tables: BTreeMap<String, u64>,
    /// The digest of all lines except the last.
    pub sha256: String,
    /// How often it had changed meanwhile.
    pub again: u32,
}

/// Writes the tenant of a slug.
///
/// # Errors
/// The reason why it cannot be read or written; the file is useless then.
pub async fn export<F: Write + Seek + Truncate>(
    side: &Side,
    slug: &str,
    secrets: bool,
    file: &mut F,
    progress: Progress<'_>,
) -> Result<Written, Failure> {
    for again in 0..ATTEMPTS {
        if again > 0 {
            tokio::time::sleep(Duration::from_millis(200 << again.min(6))).await;
        }
        file.empty().map_err(unwritten)?;
        if let Some(written) = attempt(side, slug, secrets, file, progress).await? {
            return Ok(Written { again, ..written });
        }
    }
    Err(Failure::new(format!(
        "{slug} was changed {ATTEMPTS} times while it was read: try again when it is quiet, or close it before \
         (`bailiwick tenant suspend`) and read it at the database."
    )))
}

/// A file that can be emptied.
pub trait Truncate {
    /// Removes its contents.
    ///
    /// # Errors
    /// It cannot be done.
    fn empty(&mut self) -> std::io::Result<()>;
}

impl Truncate for std::fs::File {
    fn empty(&mut self) -> std::io::Result<()> {
        self.set_len(0)?;
        self.rewind()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` calls")]
fn unwritten(error: std::io::Error) -> Failure {
    Failure::new(format!("The file cannot be written: {error}."))
}

/// `None` if the tenant changed meanwhile.
async fn attempt<F: Write>(
    side: &Side,
    slug: &str,
    secrets: bool,
    file: &mut F,
    progress: Progress<'_>,
) -> Result<Option<Written>, Failure> {
    let first = sealed(side, slug, secrets).await?;
    let mut file = BufWriter::new(file);
    let mut line =
        |text: &str| file.write_all(text.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(unwritten);
    let head = &first["head"];
    let mut digest = Digest::of_head(head);
    line(&canonical(head))?;
    let (mut rows, mut tables) = (0, BTreeMap::new());
    let mut next = first["next"].as_str().map(str::to_owned);
    while let Some(from) = next {
        let part = side.part(slug, Some(&from), secrets).await?;
        for record in part["rows"].as_array().into_iter().flatten() {
            let text = canonical(record);
            digest = digest.and(&text);
            line(&text)?;
            rows += 1;
            let table = record["table"].as_str().unwrap_or_default().to_owned();
            *tables.entry(table).or_insert(0) += 1;
        }
        progress(rows);
        next = part["next"].as_str().map(str::to_owned);
    }
    let sha256 = digest.as_str().to_owned();
    let totals = json!({ "totals": { "rows": rows, "tables": tables, "sha256": sha256 } });
    line(&canonical(&totals))?;
    file.flush().map_err(unwritten)?;
    let last = side.part(slug, None, secrets).await?;
    let same = first["mark"].is_string() && first["mark"] == last["mark"];
    Ok(same.then_some(Written { rows, tables, sha256, again: 0 }))
}

/// The first part, once all entries of the activity are sealed.
async fn sealed(side: &Side, slug: &str, secrets: bool) -> Result<Value, Failure> {
    for _ in 0..LOOKS {
        let first = side.part(slug, None, secrets).await?;
        if first["pending"] == 0 {
            return Ok(first);
        }
        side.seal().await?;
    }
    Err(Failure::new(format!(
        "Entries of the activity of {slug} do not get their place in its chain: `bailiwick audit verify` says how many."
    )))
}
