//! All ordered pairs of {SQLite, Postgres, D1}: what is exported, imported and exported again is the same.

use bailiwick_tests::targets;
use serde_json::Value;

use crate::{
    file::{Export, LARGE, SMALL},
    place::Place,
};

/// What is to be read after an import. Who comes by HTTP, beside whoever brings them in, has no account by that, and is
/// to be asked.
fn expected(file: &Export, by_http: bool, read: &Export) -> Export {
    let mut file = file.clone();
    let importer = file.of("users")[0]["id"].clone();
    for (row, read) in file.rows.iter_mut().zip(&read.rows).filter(|_| by_http) {
        let (table, row) = (row["table"].clone(), &mut row["row"]);
        if table == "memberships" && row["user_id"] != importer {
            row["status"] = "suspended".into();
            // When it was brought in.
            row["imported_at"] = read["row"]["imported_at"].clone();
            assert!(row["imported_at"].is_string(), "{read}");
        } else if table == "users" && row["id"] != importer && !row["email"].is_null() {
            row["imported_email"] = row["email"].take();
        }
    }
    file
}

/// The rows, but for the entry that tells of the import, which is the last one of the activity.
fn compare(before: &Export, after: &Export, step: &str) {
    let mut rows = after.rows.clone();
    let last = rows.iter().rposition(|row| row["table"] == "activity").expect("activity");
    let told = rows.remove(last);
    assert_eq!(told["row"]["action"], "tenant.imported", "{step}");
    assert_eq!(told["row"]["detail"]["sealed_anew"], false, "{step}");
    assert_eq!(told["row"]["detail"]["rows"], before.rows.len(), "{step}");
    for (number, (before, after)) in before.rows.iter().zip(&rows).enumerate() {
        assert_eq!(before, after, "{step}: line {}", number + 2);
    }
    assert_eq!(before.rows.len(), rows.len(), "{step}");
    let same = |name: &str| (&before.head[name], &after.head[name]);
    for name in ["tenant_id", "slug", "schema_version", "secrets"] {
        let (before, after) = same(name);
        assert_eq!(before, after, "{step}: {name}");
    }
}

#[tokio::test]
async fn what_is_moved_is_the_same_on_all_nine_ways() {
    let (sqlite, postgres, edge) = tokio::join!(Place::sqlite(), Place::postgres(), targets::edge_d1(&[]));
    let mut places = [sqlite, postgres, Place::remote(edge)];
    let directory = tempfile::tempdir().expect("a directory");
    // Small ones show faults sooner.
    for (slug, size) in [("small", SMALL), ("large", LARGE)] {
        let mut file = Export::make(slug, size);
        let first: Vec<Value> = file.rows.clone();
        assert!(slug == "small" || first.len() == 10_000, "{}", first.len());
        places[0].import(&file, directory.path(), &[]).await.expect(0);
        let mut at = 0;
        let read = places[at].export(slug, directory.path()).await;
        compare(&file, &read, "from nowhere to sqlite");
        file = read;
        // Each way once, end to end.
        for next in [0, 1, 1, 2, 2, 1, 0, 2, 0] {
            let step = format!("from {} to {}", places[at].name(), places[next].name());
            places[at].wipe(&file).await;
            places[next].admit_owner(&file).await;
            places[next].import(&file, directory.path(), &[]).await.expect(0);
            let read = places[next].export(slug, directory.path()).await;
            compare(&expected(&file, places[next].name() == "edge+d1", &read), &read, &step);
            let entries = places[next].verify(slug, file.tenant()).await;
            assert_eq!(entries, i64::try_from(read.of("activity").len()).expect("few"), "{step}");
            eprintln!("{step}: {} rows", file.rows.len());
            (file, at) = (read, next);
        }
        places[at].wipe(&file).await;
    }
    for place in places {
        place.end().await;
    }
}
