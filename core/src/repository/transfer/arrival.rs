//! Rows on their way in: checked against their tables, and given the ids, the place in the chain and the standing that they
//! have where they come to.

use std::collections::HashSet;

use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::tables::{Kind, TABLES, Table};
use crate::{
    chain::{Entry, Head},
    input::{Fault, FaultCode},
    json,
    repository::users,
    time::Timestamp,
    values::{TenantId, string, uuid},
};

/// What is known of an import: what was asked for, and what its next rows need to know of those before.
#[derive(Clone)]
pub(super) struct State {
    /// The tenant's id in the file.
    pub(super) source: TenantId,
    /// The one that it gets.
    pub(super) target: TenantId,
    pub(super) slug: String,
    pub(super) new_ids: bool,
    /// The digest of the head.
    pub(super) head: String,
    /// Bytes of the rows that have arrived.
    pub(super) bytes: i64,
    /// The table that is under way.
    table: usize,
    /// Whether any id is another one than in the file. Then the chain, which is over them, is made anew.
    pub(super) changed: bool,
    /// By their ids in the file, those who have another id here or whose account is not made by this import.
    people: Map<String, Json>,
    /// The last entry of the activity, as the file has it and as it is here.
    chain: [Head; 2],
}

/// Somebody as they are here.
pub(super) struct Person {
    pub(super) id: String,
    /// Whether they had an account before.
    pub(super) known: bool,
}

impl State {
    pub(super) fn new(source: TenantId, target: TenantId, slug: &str, new_ids: bool, head: &str) -> Self {
        let chain = [source, target].map(|tenant| Head::start(&tenant.to_string()));
        let (slug, head) = (slug.to_owned(), head.to_owned());
        Self {
            source,
            target,
            slug,
            new_ids,
            head,
            bytes: 0,
            table: 0,
            changed: new_ids,
            people: Map::new(),
            chain,
        }
    }

    pub(super) fn store(&self) -> Json {
        let [from, here] = self.chain.each_ref().map(ToString::to_string);
        json::object(vec![
            ("source", self.source.into()),
            ("slug", self.slug.as_str().into()),
            ("new_ids", self.new_ids.into()),
            ("head", self.head.as_str().into()),
            ("bytes", self.bytes.into()),
            ("table", self.table.into()),
            ("changed", self.changed.into()),
            ("people", self.people.clone().into()),
            ("from", from.into()),
            ("here", here.into()),
        ])
    }

    /// Reads what [`Self::store`] made.
    pub(super) fn read(target: TenantId, stored: &Json) -> Option<Self> {
        let text = |name: &str| stored.get(name).and_then(Json::as_str);
        let source = TenantId::parse(text("source")?)?;
        let place = |name: &str, tenant: TenantId| match text(name)? {
            none if none.starts_with("0:") => Some(Head::start(&tenant.to_string())),
            some => Head::parse(some).ok(),
        };
        Some(Self {
            source,
            target,
            slug: text("slug")?.to_owned(),
            new_ids: stored.get("new_ids")?.as_bool()?,
            head: text("head")?.to_owned(),
            // Of an import that an older version began, which did not count them.
            bytes: stored.get("bytes").and_then(Json::as_i64).unwrap_or_default(),
            table: usize::try_from(stored.get("table")?.as_u64()?).ok()?,
            changed: stored.get("changed")?.as_bool()?,
            people: stored.get("people")?.as_object()?.clone(),
            chain: [place("from", source)?, place("here", target)?],
        })
    }

    /// The place of the chain that the file has, if it has any.
    pub(super) fn file_head(&self) -> Option<String> {
        (self.chain[0].seq > 0).then(|| self.chain[0].to_string())
    }

    fn person(&self, id: &str) -> Option<Person> {
        let found = self.people.get(id)?;
        Some(Person { id: found.get(0)?.as_str()?.to_owned(), known: found.get(1)?.as_bool()? })
    }

    /// Decides who somebody is here, given the accounts that have their address or their id, and whether they keep the
    /// address. By HTTP an account is found by its address only if the file has its id, too, or if it is the importer's
    /// own: else anybody could learn the name behind an address by bringing in a file with it.
    fn meet(
        &mut self,
        row: &Map<String, Json>,
        accounts: &[(String, String)],
        importer: Option<&str>,
    ) -> (Person, bool) {
        let text = |name: &str| row.get(name).and_then(Json::as_str).unwrap_or_default();
        let (id, email) = (text("id"), text("email"));
        let account = accounts.iter().find(|(_, address)| address == email).map(|(account, _)| account);
        let shown = |account: &String| importer.is_none_or(|own| own == account || id == account);
        let person = match account.filter(|account| shown(account)) {
            Some(account) => Person { id: account.clone(), known: true },
            // An account of somebody else has this id.
            None if accounts.iter().any(|(account, _)| account == id) => {
                Person { id: derived(self.target, id), known: false }
            }
            None => Person { id: id.to_owned(), known: false },
        };
        self.changed |= person.id != id;
        // With new ids, what is not among these is no person.
        if self.new_ids || person.known || person.id != id {
            self.people
                .insert(id.to_owned(), Json::Array(vec![person.id.as_str().into(), person.known.into()]));
        }
        // The address of an account that has none is made of its own id, and of no other.
        let keeps = person.known || (account.is_none() && !users::is_unclaimed(email));
        (person, keeps)
    }

    /// What an id of the file is here.
    fn mapped(&self, id: &str) -> String {
        if id == self.source.to_string() {
            self.target.to_string()
        } else if let Some(person) = self.person(id) {
            person.id
        } else if self.new_ids {
            in_order(self.target, id)
        } else {
            id.to_owned()
        }
    }

    /// Gives every id within a document the one that it has here.
    fn map_within(&self, value: &mut Json) {
        match value {
            Json::String(text) if uuid(text).is_some() => *text = self.mapped(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.map_within(item)),
            Json::Object(members) => members.values_mut().for_each(|value| self.map_within(value)),
            _ => {}
        }
    }
}

/// An id in the place of another, of an account or a tenant: of the same time, and the same each time, so that all that
/// refers to it finds it.
pub(super) fn derived(seed: TenantId, id: &str) -> String {
    let Some(old) = uuid(id) else { return id.to_owned() };
    let hash = Sha256::new().chain_update(seed.0.as_bytes()).chain_update(old.as_bytes()).finalize();
    let (mut bytes, mut random) = ([0; 8], [0; 10]);
    bytes[2..].copy_from_slice(&old.as_bytes()[..6]);
    random.copy_from_slice(&hash[..10]);
    uuid::Builder::from_unix_timestamp_millis(u64::from_be_bytes(bytes), &random).into_uuid().to_string()
}

/// An id in the place of another, within a tenant: the same each time as well, and at the same place in the order, also
/// among those of one millisecond. Only the end is new, which is chance (see the ids that are made here); that suffices
/// where an id counts only beside that of its tenant. No two become one.
pub(super) fn in_order(seed: TenantId, id: &str) -> String {
    let Some(old) = uuid(id) else { return id.to_owned() };
    let (kept, mut bytes) = (&old.as_bytes()[..12], *old.as_bytes());
    let hash = Sha256::new().chain_update(seed.0.as_bytes()).chain_update(kept).finalize();
    for (byte, mask) in bytes[12..].iter_mut().zip(hash) {
        *byte ^= mask;
    }
    Uuid::from_bytes(bytes).to_string()
}

/// Whether the service could have made an id. Others have a meaning of their own: the lowest and the highest are where
/// pages begin and end.
pub(super) fn made_here(id: &Uuid) -> bool {
    id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122
}

/// A row as it came, with what it refers to.
pub(super) struct Arrival {
    table: usize,
    /// By which others refer to it.
    pub(super) name: String,
    pub(super) refers: Vec<(&'static str, String)>,
    row: Map<String, Json>,
}

impl Arrival {
    /// Reads and checks one, which is to be of a table not before this one.
    pub(super) fn read(mut record: Map<String, Json>, operator: bool) -> Result<Self, Vec<Fault>> {
        let unknown =
            |name: &str| Fault::new(FaultCode::Unknown, "Nothing of this name is known here.").within(name);
        let fault = |fault: Fault, name: &str| vec![fault.within(name)];
        let required = || Fault::new(FaultCode::Required, "This value is required.");
        let name = record.remove("table").ok_or_else(|| fault(required(), "table"))?;
        let name = string(name).map_err(|found| fault(found, "table"))?;
        let table = TABLES.iter().position(|table| table.name == name && (operator || !table.secret));
        let table = table.ok_or_else(|| {
            fault(Fault::new(FaultCode::NotAllowed, "Rows of this table are not taken here."), "table")
        })?;
        let row = record.remove("row").ok_or_else(|| fault(required(), "row"))?;
        let Json::Object(mut given) = row else {
            return Err(fault(Fault::wrong_type("an object", &row), "row"));
        };
        let mut faults: Vec<_> = record.keys().map(|name| unknown(name)).collect();
        let mut this = Self { table, name: String::new(), refers: Vec::new(), row: Map::new() };
        for column in TABLES[table].columns.iter().filter(|column| !matches!(column.kind, Kind::Made)) {
            let value = match given.remove(column.name) {
                None => Err(required()),
                Some(Json::Null) if column.nullable => Ok(Json::Null),
                Some(value) => this.value(column.kind, value, operator),
            };
            match value {
                Ok(value) => drop(this.row.insert(column.name.to_owned(), value)),
                Err(found) => faults.push(found.within(column.name).within("row")),
            }
        }
        faults.extend(given.keys().map(|name| unknown(name).within("row")));
        if !faults.is_empty() {
            return Err(faults);
        }
        let key = this.row.get(TABLES[table].key).map_or_else(String::new, text_of);
        this.name = format!("{}:{key}", TABLES[table].name);
        Ok(this)
    }

    fn value(&mut self, kind: Kind, value: Json, operator: bool) -> Result<Json, Fault> {
        match kind {
            Kind::Value(check) | Kind::Document(check) => check(value),
            Kind::Operators { check, .. } if operator => check(value),
            Kind::Operators { .. } | Kind::Made => {
                Err(Fault::new(FaultCode::NotAllowed, "Expected null: this is not taken here."))
            }
            Kind::Own | Kind::Any | Kind::Of(_) => {
                let fault = || Fault::new(FaultCode::Format, "Expected a UUID of version 7.");
                let id = uuid(&string(value)?).filter(made_here).ok_or_else(fault)?;
                if let Kind::Of(table) = kind {
                    self.refers.push((table, format!("{table}:{id}")));
                }
                Ok(id.to_string().into())
            }
        }
    }

    pub(super) fn table(&self) -> &'static Table {
        &TABLES[self.table]
    }

    /// The line of the file that it was.
    pub(super) fn line(&self) -> String {
        crate::transfer::canonical(&crate::transfer::record(self.table().name, self.row.clone().into()))
    }

    /// The address, of an account.
    pub(super) fn account(&self) -> Option<(&str, &str)> {
        let text = |name: &str| self.row.get(name).and_then(Json::as_str);
        (self.table().name == "users").then(|| text("id").zip(text("email"))).flatten()
    }

    /// The webhook, of a tenant that has one.
    pub(super) fn webhook(&self) -> Option<&str> {
        self.row.get("config")?.get("slack_webhook_url")?.as_str()
    }

    /// Puts it in its place after those before: what is written down of it.
    pub(super) fn settle(
        self,
        state: &mut State,
        accounts: &[(String, String)],
        importer: Option<&str>,
        now: Timestamp,
    ) -> Result<Map<String, Json>, Fault> {
        let Self { table, row, .. } = self;
        if table < state.table {
            let detail =
                format!("Rows of {} come before those of {}.", TABLES[table].name, TABLES[state.table].name);
            return Err(Fault::new(FaultCode::NotAllowed, detail).within("table"));
        }
        state.table = table;
        let mut here = row.clone();
        if TABLES[table].name == "users" {
            let (Person { id, known }, keeps) = state.meet(&row, accounts, importer);
            if !keeps {
                here.insert("email".to_owned(), users::unclaimed(&id).into());
            }
            here.insert("id".to_owned(), id.into());
            if known {
                here.insert("known".to_owned(), true.into());
            }
            return Ok(here);
        }
        for column in TABLES[table].columns {
            if let Some(value) = here.get_mut(column.name) {
                match column.kind {
                    Kind::Own | Kind::Any | Kind::Of(_) => state.map_within(value),
                    Kind::Document(_) if column.name == "detail" => state.map_within(value),
                    _ => {}
                }
            }
        }
        match TABLES[table].name {
            "tenants" => {
                if row.get("id").and_then(Json::as_str) != Some(&state.source.to_string()) {
                    return Err(Fault::new(FaultCode::NotAllowed, "This is not the tenant of the file.")
                        .within("id")
                        .within("row"));
                }
                here.insert("slug".to_owned(), state.slug.as_str().into());
            }
            "memberships" => admitted(&mut here, importer, now),
            "activity" => chained(&row, &mut here, state)?,
            _ => {}
        }
        Ok(here)
    }
}

fn text_of(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whoever brings a tenant in by HTTP owns it. Everybody else is suspended until they accept an invitation: nobody gets
/// into a tenant of somebody else's making only because their address is in a file.
fn admitted(here: &mut Map<String, Json>, importer: Option<&str>, now: Timestamp) {
    let Some(importer) = importer else { return };
    if here.get("user_id").and_then(Json::as_str) == Some(importer) {
        here.insert("role".to_owned(), "owner".into());
        here.insert("status".to_owned(), "active".into());
    } else {
        here.insert("status".to_owned(), "suspended".into());
        here.insert("imported_at".to_owned(), now.to_string().into());
    }
}

/// The place of an entry in the chain. As long as no id is another one, it is what it was, and if somebody has tampered
/// with it that shows here as there. Else the chain is made anew, but only of one that holds.
fn chained(row: &Map<String, Json>, here: &mut Map<String, Json>, state: &mut State) -> Result<(), Fault> {
    let (source, target, changed) = (state.source.to_string(), state.target.to_string(), state.changed);
    let [from, to] = &mut state.chain;
    let seq = from.seq + 1;
    let fault = |detail: &str, column| {
        Fault::new(FaultCode::NotAllowed, detail.to_owned()).within(column).within("row")
    };
    if row.get("seq").and_then(Json::as_i64) != Some(seq) {
        return Err(fault("The numbers of the entries have no gaps.", "seq"));
    }
    let given = row.get("hash").and_then(Json::as_str).unwrap_or_default().to_owned();
    let hash = if changed {
        if Entry::of_members(row).hash(&source, seq, &from.hash) != given {
            return Err(fault(
                "The chain of the activity does not hold here, and cannot be made anew with other ids.",
                "hash",
            ));
        }
        Entry::of_members(here).hash(&target, seq, &to.hash)
    } else {
        given.clone()
    };
    here.insert("hash".to_owned(), hash.as_str().into());
    (*from, *to) = (Head { seq, hash: given }, Head { seq, hash });
    Ok(())
}

/// Names that rows of this part give themselves more than once.
pub(super) fn repeated(arrivals: &[(usize, Arrival)]) -> Vec<usize> {
    let mut seen = HashSet::new();
    arrivals
        .iter()
        .filter(|(_, arrival)| !seen.insert(arrival.name.as_str()))
        .map(|(index, _)| *index)
        .collect()
}

/// The id of a tenant that gets a new one: the same each time that the same is asked for.
pub(super) fn new_tenant(source: TenantId, user: Uuid, slug: &str, head: &str) -> TenantId {
    let hash = Sha256::new()
        .chain_update(source.0.as_bytes())
        .chain_update(user.as_bytes())
        .chain_update(head.as_bytes())
        .chain_update(slug.as_bytes())
        .finalize();
    let mut seed = [0; 16];
    seed.copy_from_slice(&hash[..16]);
    TenantId(uuid(&derived(TenantId(Uuid::from_bytes(seed)), &source.to_string())).unwrap_or(source.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(number: u128) -> TenantId {
        TenantId(Uuid::from_u128((number << 80) | (7 << 76) | (1 << 63) | number))
    }

    #[test]
    fn derived_ids_keep_the_time_and_nothing_else() {
        let (one, other, old) = (id(1), id(2), id(900).to_string());
        let new = derived(one, &old);
        assert_eq!((&new[..15], new.as_bytes()[14]), (&old[..15], b'7'));
        assert_ne!(new, old);
        assert_eq!(new, derived(one, &old));
        assert_ne!(new, derived(other, &old));
        assert!(derived(one, &id(899).to_string()) < new && new < derived(one, &id(901).to_string()));
        let tenant = |user, slug, head| new_tenant(one, id(user).0, slug, head);
        assert_eq!(tenant(5, "a", "h"), tenant(5, "a", "h"));
        for another in [tenant(6, "a", "h"), tenant(5, "b", "h"), tenant(5, "a", "i")] {
            assert_ne!(another, tenant(5, "a", "h"));
        }
    }

    #[test]
    fn ids_within_a_tenant_are_new_and_in_order() {
        // Of one millisecond; the second and third differ only where chance is.
        let old = [1 << 64, 2 << 32, (2 << 32) | 9, 3 << 32].map(|tail| id(900).0.as_u128() | tail);
        let old = old.map(|id| Uuid::from_u128(id).to_string());
        let new = old.each_ref().map(|old| in_order(id(1), old));
        assert_eq!(new, old.each_ref().map(|old| in_order(id(1), old)));
        for (index, (old, one)) in old.iter().zip(&new).enumerate() {
            assert_ne!(old, one);
            assert_ne!(*one, in_order(id(2), old));
            assert!(!new[..index].contains(one), "each once");
        }
        assert!(new[1] < new[3] && new[2] < new[3] && new[3] < new[0]);
    }

    /// An address alone leads to nobody's account but the importer's own.
    #[test]
    fn by_http_an_account_is_found_by_its_id_and_address_together() {
        let accounts = [(id(7).to_string(), "a@example.com".to_owned())];
        let (mallory, own) = (id(9).to_string(), id(7).to_string());
        for (of, importer, who, known, keeps) in [
            (id(7), &mallory, id(7).to_string(), true, true),
            (id(3), &own, id(7).to_string(), true, true),
            (id(3), &mallory, id(3).to_string(), false, false),
        ] {
            let mut state = State::new(id(1), id(1), "acme", false, "head");
            let row = Map::from_iter([
                ("id".to_owned(), of.to_string().into()),
                ("email".to_owned(), "a@example.com".into()),
            ]);
            let (found, kept) = state.meet(&row, &accounts, Some(importer));
            assert_eq!((found.id, found.known, kept), (who, known, keeps));
        }
    }

    #[test]
    fn what_is_known_of_an_import_is_read_as_it_was_stored() {
        let mut state = State::new(id(1), id(2), "acme", true, "head");
        let stored = |state: &State| State::read(id(2), &state.store()).unwrap().store();
        assert_eq!(stored(&state), state.store());
        let row = |id: TenantId, email: &str| match json!({ "id": id.to_string(), "email": email }) {
            Json::Object(row) => row,
            _ => Map::new(),
        };
        let accounts = [
            (id(7).to_string(), "a@example.com".to_owned()),
            (id(4).to_string(), "x@example.com".to_owned()),
        ];
        let (found, keeps) = state.meet(&row(id(3), "a@example.com"), &accounts, None);
        assert_eq!((found.id, found.known, keeps), (id(7).to_string(), true, true));
        // Somebody else's id.
        let (made, _) = state.meet(&row(id(4), "b@example.com"), &accounts, None);
        assert_eq!((made.id == id(4).to_string(), made.known), (false, false));
        let (made, _) = state.meet(&row(id(5), "c@example.com"), &accounts, None);
        assert_eq!((made.id, made.known), (id(5).to_string(), false));
        state.chain[0] = Head { seq: 3, hash: "0".repeat(64) };
        assert_eq!(stored(&state), state.store());
        // People, the tenant, and all else.
        let mapped = [id(3), id(5), id(1), id(9)].map(|id| state.mapped(&id.to_string()));
        assert_eq!(mapped[..3], [id(7), id(5), id(2)].map(|id| id.to_string()));
        assert_ne!(mapped[3], id(9).to_string());
    }
}
