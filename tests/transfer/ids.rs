//! New ids: a copy beside the original, in the same database, that shares nothing with it but people.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    file::{Export, SMALL},
    place::Place,
};

/// Every id that stands anywhere in a value.
fn ids(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if uuid::Uuid::try_parse(text).is_ok() => drop(found.insert(text.clone())),
        Value::Array(items) => items.iter().for_each(|item| ids(item, found)),
        Value::Object(members) => members.values().for_each(|value| ids(value, found)),
        _ => {}
    }
}

fn ids_of(file: &Export) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    file.rows.iter().for_each(|row| ids(row, &mut found));
    found
}

#[tokio::test]
async fn a_copy_shares_nothing_with_its_original_but_people() {
    for place in [Place::sqlite().await, Place::postgres().await] {
        let directory = tempfile::tempdir().expect("a directory");
        let file = Export::make("original", SMALL);
        place.import(&file, directory.path(), &[]).await.expect(0);
        place.import(&file, directory.path(), &[]).await.expect(3).says("A tenant with this id");
        let taken = place.import(&file, directory.path(), &["--new-ids"]).await;
        taken.expect(3).says("Another tenant has this slug");
        place.import(&file, directory.path(), &["--new-ids", "--slug", "copy"]).await.expect(0);

        let (one, two) =
            (place.export("original", directory.path()).await, place.export("copy", directory.path()).await);
        let people: BTreeSet<_> =
            file.of("users").iter().map(|user| user["id"].as_str().expect("an id").to_owned()).collect();
        let shared: BTreeSet<_> = ids_of(&one).intersection(&ids_of(&two)).cloned().collect();
        // The entry of the import tells where it came from.
        let allowed: BTreeSet<_> = people.iter().cloned().chain([file.tenant().to_owned()]).collect();
        assert_eq!(shared, allowed);
        // In the order of the originals, one for one, everywhere that an id stands.
        let mut known = std::collections::BTreeMap::new();
        let told = |row: &&Value| row["row"]["action"] != "tenant.imported";
        for (before, after) in one.rows.iter().filter(told).zip(two.rows.iter().filter(told)) {
            pair(before, after, &mut known);
        }
        for slug in ["original", "copy"] {
            let file = if slug == "copy" { &two } else { &one };
            assert_eq!(place.verify(slug, file.tenant()).await, 13);
        }
        let told = two.of("activity").pop().expect("an entry");
        assert_eq!(told["detail"]["sealed_anew"], true);
        let entries = file.of("activity");
        let last = entries.last().expect("an entry");
        assert_eq!(
            told["detail"]["head"],
            format!("{}:{}", last["seq"], last["hash"].as_str().expect("a hash"))
        );
        place.end().await;
    }
}

/// What differs are ids, and the same one is always the same other one.
fn pair(before: &Value, after: &Value, known: &mut std::collections::BTreeMap<String, String>) {
    match (before, after) {
        (Value::String(one), Value::String(two)) if uuid::Uuid::try_parse(one).is_ok() => {
            assert_eq!(known.entry(one.clone()).or_insert_with(|| two.clone()), two);
        }
        (Value::Array(one), Value::Array(two)) => {
            one.iter().zip(two).for_each(|(one, two)| pair(one, two, known));
        }
        (Value::Object(one), Value::Object(two)) => {
            for (name, value) in
                one.iter().filter(|(name, _)| !["hash", "slug", "sealed_anew"].contains(&name.as_str()))
            {
                pair(value, &two[name], known);
            }
        }
        (one, two) => assert_eq!(one, two),
    }
}

#[tokio::test]
async fn a_log_that_does_not_hold_is_carried_as_it_is_and_not_made_good() {
    let place = Place::sqlite().await;
    let directory = tempfile::tempdir().expect("a directory");
    let mut file = Export::make("broken", SMALL);
    file.row("activity", 4)["action"] = "project.approved".into();
    let line = file.line("activity", 4);
    let anew = place.import(&file, directory.path(), &["--new-ids"]).await.expect(3);
    anew.says(&format!("line {line}: hash: The chain of the activity log is broken here"));
    place.import(&file, directory.path(), &[]).await.expect(0);
    place.run(&["audit", "verify", "--tenant", "broken"]).await.expect(1).says("entry 5 was altered");
    place.end().await;
}

#[tokio::test]
async fn what_a_new_database_has_makes_room_for_the_tenant_default() {
    let place = Place::sqlite().await;
    let directory = tempfile::tempdir().expect("a directory");
    let mut file = Export::make("default", SMALL);
    // As it is in every database.
    let id = "00000000-0000-7000-8000-000000000001";
    let old = file.tenant().to_owned();
    let text = serde_json::to_string(&file.rows).expect("JSON").replace(&old, id);
    file.rows = serde_json::from_str(&text).expect("JSON");
    file.rows.retain(|row| row["table"] != "activity");
    file.head["tenant_id"] = id.into();
    // Of what cannot be finished nothing is left in the tenant, and it is there to be claimed.
    let mut nobodys = file.clone();
    for index in 0..nobodys.of("users").len() {
        nobodys.row("users", index)["disabled_at"] = "2026-01-01T00:00:00.000Z".into();
    }
    place.import(&nobodys, directory.path(), &[]).await.expect(3).says("Nobody would own");
    let sql = "SELECT slug, name, created_by, deleted_at, suspended_at FROM tenants";
    let default =
        ["default", "Default"].map(|text| Some(text.to_owned())).into_iter().chain([None, None, None]);
    assert_eq!(place.backdoor().sql(sql).await, [default.collect::<Vec<_>>()]);
    for table in ["memberships", "projects", "tasks", "comments", "imports", "import_rows", "limits"] {
        let sql = format!("SELECT count(*) FROM {table}");
        assert_eq!(place.backdoor().count(&sql).await, 0, "{table}");
    }
    // Accounts stay, as they came.
    place.backdoor().sql("UPDATE users SET disabled_at = NULL").await;
    place.import(&file, directory.path(), &[]).await.expect(0);
    let read = place.export("default", directory.path()).await;
    assert_eq!(read.of("tasks"), file.of("tasks"));
    // Now it is somebody's.
    place.import(&file, directory.path(), &[]).await.expect(3).says("A tenant with this id");
    place.end().await;
}
