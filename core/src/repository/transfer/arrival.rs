//! Arriving rows: checked against their tables, and given their ids, their place in the chain and their status in this
//! database.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value as Json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{
    domain::chain::{Entry, Head},
    http::problem::{Problem, Result},
    kernel::{
        decode::{Fault, FaultCode},
        json,
        time::Timestamp,
        values::{Slug, TenantId, enumerations::Channel, string, uuid},
    },
    ports::{Entropy, EntropyError},
    repository::{
        transfer::tables::{Kind, TABLES, Table},
        users,
    },
};

/// The state of an import: its options, and what its next rows need to know of those before.
#[derive(Clone)]
pub(super) struct State {
    /// The tenant's id in the file.
    pub(super) source: TenantId,
    /// The tenant's id here.
    pub(super) target: TenantId,
    pub(super) slug: String,
    pub(super) new_ids: bool,
    /// The digest of the head.
    pub(super) head: String,
    /// Bytes of the rows that have arrived.
    pub(super) bytes: i64,
    /// The table of the last row.
    table: usize,
    /// Whether any id differs from the file. Then the chain, which depends on them, is rebuilt.
    pub(super) changed: bool,
    /// The ids here of people whom the current part names, by their ids in the file. They are not stored: each is in
    /// the person's row.
    people: HashMap<String, String>,
    /// The last entry of the activity, as the file has it and as it is here.
    chain: [Head; 2],
}

/// The accounts, and placeholders, that have an id or an address of this part.
pub(super) struct Accounts {
    /// Their ids and addresses.
    found: Vec<(String, String)>,
    /// New ids for people of the file who have one of these ids.
    fresh: HashMap<String, String>,
}

impl Accounts {
    /// Makes each new id with the time of the old one, and random otherwise.
    pub(super) fn new(found: Vec<(String, String)>, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut fresh = HashMap::new();
        for (id, _) in &found {
            let mut random = [0; 10];
            entropy.fill(&mut random)?;
            fresh.insert(id.clone(), at_the_time_of(id, &random));
        }
        Ok(Self { found, fresh })
    }
}

impl State {
    /// The slug that the tenant will have.
    pub(super) fn slug(&self) -> Result<Slug> {
        Slug::parse(&self.slug).map_err(|fault| Problem::internal(fault.detail))
    }

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
            people: HashMap::new(),
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
            ("from", from.into()),
            ("here", here.into()),
        ])
    }

    /// Reads the document of [`Self::store`].
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
            // An import that an older version began has no count.
            bytes: stored.get("bytes").and_then(Json::as_i64).unwrap_or_default(),
            table: usize::try_from(stored.get("table")?.as_u64()?).ok()?,
            changed: stored.get("changed")?.as_bool()?,
            people: HashMap::new(),
            chain: [place("from", source)?, place("here", target)?],
        })
    }

    /// The last place of the file's chain, if it has any entries.
    pub(super) fn file_head(&self) -> Option<String> {
        (self.chain[0].seq > 0).then(|| self.chain[0].to_string())
    }

    /// Notes the id here of a person from an earlier part.
    pub(super) fn remember(&mut self, id: &str, here: String) {
        self.people.insert(id.to_owned(), here);
    }

    /// Decides on a person's id here, and completes their row. The operator's file makes accounts, and a person with an
    /// existing account's address is that account. By HTTP only the importer is known: every other person of the file
    /// gets a placeholder, whether or not there is an account with the address.
    fn meet(
        &mut self,
        mut row: Map<String, Json>,
        accounts: &Accounts,
        importer: Option<&str>,
    ) -> Map<String, Json> {
        let text = |name: &str| row.get(name).and_then(Json::as_str).map(str::to_owned);
        let (id, email, hearsay) = (text("id").unwrap_or_default(), text("email"), text("imported_email"));
        let address = email.clone().or(hearsay);
        let shown = if importer.is_some() { &address } else { &email };
        let mut of_address = accounts.found.iter().filter(|(_, address)| Some(address) == shown.as_ref());
        let known = of_address.find(|(account, _)| importer.is_none_or(|own| own == account));
        let here = match known {
            Some((account, _)) => account.clone(),
            // Another user here may have this id.
            None => accounts.fresh.get(&id).unwrap_or(&id).clone(),
        };
        self.changed |= here != id;
        if known.is_some() {
            row.insert("known".to_owned(), true.into());
        } else if importer.is_some() || email.is_none() {
            row.insert("placeholder".to_owned(), true.into());
            row.insert("email".to_owned(), users::unclaimed(&here).into());
            row.insert("imported_email".to_owned(), address.into());
            row.insert("password_hash".to_owned(), Json::Null);
        } else {
            row.insert("imported_email".to_owned(), Json::Null);
        }
        row.insert("id".to_owned(), here.as_str().into());
        self.people.insert(id, here);
        row
    }

    /// The id here for an id of the file.
    fn mapped(&self, id: &str) -> String {
        if id == self.source.to_string() {
            self.target.to_string()
        } else if let Some(person) = self.people.get(id) {
            person.clone()
        } else if self.new_ids {
            in_order(self.target, id)
        } else {
            id.to_owned()
        }
    }

    /// Maps every id within a document.
    fn map_within(&self, value: &mut Json) {
        match value {
            Json::String(text) if uuid(text).is_some() => *text = self.mapped(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.map_within(item)),
            Json::Object(members) => members.values_mut().for_each(|value| self.map_within(value)),
            _ => {}
        }
    }
}

/// An id with the time of another.
fn at_the_time_of(id: &str, random: &[u8; 10]) -> String {
    let Some(old) = uuid(id) else { return id.to_owned() };
    let mut bytes = [0; 8];
    bytes[2..].copy_from_slice(&old.as_bytes()[..6]);
    uuid::Builder::from_unix_timestamp_millis(u64::from_be_bytes(bytes), random).into_uuid().to_string()
}

/// A new id for another one, within a tenant: the same each time, and at the same place in the order, also among ids of
/// one millisecond. Only the random end is new (see the ids that are made here); that suffices where an id counts only
/// together with that of its tenant. Different ids stay different.
pub(super) fn in_order(seed: TenantId, id: &str) -> String {
    let Some(old) = uuid(id) else { return id.to_owned() };
    let (kept, mut bytes) = (&old.as_bytes()[..12], *old.as_bytes());
    let hash = Sha256::new().chain_update(seed.0.as_bytes()).chain_update(kept).finalize();
    for (byte, mask) in bytes[12..].iter_mut().zip(hash) {
        *byte ^= mask;
    }
    Uuid::from_bytes(bytes).to_string()
}

/// Whether the service could have made an id. Others have a meaning of their own: the lowest and the highest are the
/// limits of pages.
pub(super) fn made_here(id: &Uuid) -> bool {
    id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122
}

/// A row of the file, with its references.
pub(super) struct Arrival {
    table: usize,
    /// The name by which other rows refer to it.
    pub(super) name: String,
    pub(super) refers: Vec<(&'static str, String)>,
    row: Map<String, Json>,
}

impl Arrival {
    /// Reads and checks a row.
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
            Kind::Id | Kind::Any | Kind::Of(_) => {
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

    /// The line of the file.
    pub(super) fn line(&self) -> String {
        crate::repository::transfer::file::canonical(&crate::repository::transfer::file::record(
            self.table().name,
            self.row.clone().into(),
        ))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.row.get(name).and_then(Json::as_str)
    }

    /// The id of a person, and their address, if it is known.
    pub(super) fn person(&self) -> Option<(&str, Option<&str>)> {
        let id = self.text("id").filter(|_| self.table().name == "users")?;
        Some((id, self.text("email").or_else(|| self.text("imported_email"))))
    }

    /// A value besides its name that no other row of the table may have, with its column.
    pub(super) fn also(&self) -> Option<(&'static str, String)> {
        let table = self.table().name;
        let open = || ["accepted_at", "revoked_at"].iter().all(|end| self.text(end).is_none());
        let column = match table {
            "users" if self.text("email").is_some() => "email",
            "users" => "imported_email",
            "memberships" | "activity" => "id",
            "invitations" if open() => "email",
            _ => return None,
        };
        let name = if table == "users" { "email" } else { column };
        self.text(column).map(|value| (column, format!("{table}.{name}:{value}")))
    }

    /// Every id in it, as the name of the person that it may be.
    pub(super) fn people(&self) -> Vec<String> {
        fn within(value: &Json, found: &mut Vec<String>) {
            match value {
                Json::String(text) if uuid(text).is_some() => found.push(format!("users:{text}")),
                Json::Array(items) => items.iter().for_each(|item| within(item, found)),
                Json::Object(members) => members.values().for_each(|value| within(value, found)),
                _ => {}
            }
        }
        let mut found = Vec::new();
        let ids = self.table().columns.iter().filter(|column| column.has_ids());
        ids.filter_map(|column| self.row.get(column.name)).for_each(|value| within(value, &mut found));
        found
    }

    /// The webhook of a channel, of a tenant that has one, with the member of the configuration.
    pub(super) fn webhook(&self, channel: Channel) -> Option<(&'static str, &str)> {
        let member = channel.webhook()?;
        Some((member, self.row.get("config")?.get(member)?.as_str()?))
    }

    /// Puts it in its place after the earlier rows, and returns the row to store.
    pub(super) fn settle(
        self,
        state: &mut State,
        accounts: &Accounts,
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
        if TABLES[table].name == "users" {
            return Ok(state.meet(row, accounts, importer));
        }
        let mut here = row.clone();
        for column in TABLES[table].columns.iter().filter(|column| column.has_ids()) {
            if let Some(value) = here.get_mut(column.name) {
                state.map_within(value);
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

/// The importer by HTTP becomes the owner. All other members are suspended until they accept an invitation: nobody
/// becomes a member of a stranger's tenant only because their address is in a file.
fn admitted(here: &mut Map<String, Json>, importer: Option<&str>, now: Timestamp) {
    let Some(importer) = importer else { return };
    if here.get("user_id").and_then(Json::as_str) == Some(importer) {
        here.insert("role".to_owned(), "owner".into());
        here.insert("status".to_owned(), "active".into());
        here.insert("imported_at".to_owned(), Json::Null);
    } else {
        here.insert("status".to_owned(), "suspended".into());
        here.insert("imported_at".to_owned(), now.to_string().into());
    }
}

/// The place of an entry in the chain. As long as all ids are those of the file, it stays the same, and any tampering
/// shows here as there. Otherwise the chain is rebuilt, but only if it is intact.
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
                "The chain of the activity log is broken here, and cannot be rebuilt with other ids.",
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

/// Rows with a value that an earlier row has, with its column.
pub(super) fn repeated(arrivals: &[(usize, Arrival)], arrived: &HashSet<&str>) -> Vec<(usize, &'static str)> {
    let (mut seen, mut found) = (HashSet::new(), Vec::new());
    for (index, arrival) in arrivals {
        let own = [(arrival.table().key, arrival.name.clone())];
        for (column, name) in own.into_iter().chain(arrival.also()) {
            if arrived.contains(name.as_str()) || !seen.insert(name) {
                found.push((*index, column));
            }
        }
    }
    found
}

/// The new id of a tenant: the same for every repetition of the same request.
pub(super) fn new_tenant(source: TenantId, user: Uuid, slug: &str, head: &str) -> TenantId {
    let hash = Sha256::new()
        .chain_update(source.0.as_bytes())
        .chain_update(user.as_bytes())
        .chain_update(head.as_bytes())
        .chain_update(slug.as_bytes())
        .finalize();
    let mut random = [0; 10];
    random.copy_from_slice(&hash[..10]);
    TenantId(uuid(&at_the_time_of(&source.to_string(), &random)).unwrap_or(source.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn id(number: u128) -> TenantId {
        TenantId(Uuid::from_u128((number << 80) | (7 << 76) | (1 << 63) | number))
    }

    #[test]
    fn other_ids_keep_the_time_and_nothing_else() {
        let old = id(900).to_string();
        let (new, another) = (at_the_time_of(&old, &[7; 10]), at_the_time_of(&old, &[8; 10]));
        assert_eq!((&new[..15], new.as_bytes()[14]), (&old[..15], b'7'));
        assert!(new != old && new != another && uuid(&new).is_some_and(|id| made_here(&id)));
        let tenant = |user, slug, head| new_tenant(id(1), id(user).0, slug, head);
        assert_eq!(tenant(5, "a", "h"), tenant(5, "a", "h"));
        for another in [tenant(6, "a", "h"), tenant(5, "b", "h"), tenant(5, "a", "i")] {
            assert_ne!(another, tenant(5, "a", "h"));
        }
    }

    #[test]
    fn ids_within_a_tenant_are_new_and_in_order() {
        // Ids of one millisecond; the second and third differ only in the random part.
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

    /// A source of equal bytes.
    struct Sevens;

    impl Entropy for Sevens {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError> {
            buffer.fill(7);
            Ok(())
        }
    }

    fn accounts() -> Accounts {
        let found = [(7, "a@example.com"), (4, "x@example.com")];
        Accounts::new(found.map(|(of, email)| (id(of).to_string(), email.to_owned())).to_vec(), &Sevens)
            .unwrap_or_else(|_| panic!("it does not fail"))
    }

    fn row(of: u128, email: Option<&str>, hearsay: Option<&str>) -> Map<String, Json> {
        let row = json!({ "id": id(of).to_string(), "email": email, "imported_email": hearsay, "password_hash": "x" });
        row.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn by_http_nobody_is_known_but_the_importer() {
        let (mallory, own) = (id(9).to_string(), id(7).to_string());
        for (of, importer, who) in [(7, &own, 7), (3, &own, 7), (3, &mallory, 3), (5, &mallory, 5)] {
            let mut state = State::new(id(1), id(1), "acme", false, "head");
            let email = if of == 5 { "nobody@example.com" } else { "a@example.com" };
            let met = state.meet(row(of, Some(email), None), &accounts(), Some(importer));
            assert_eq!(met["id"], id(who).to_string());
            assert_eq!(state.mapped(&id(of).to_string()), id(who).to_string());
            assert_eq!((met.contains_key("known"), met.contains_key("placeholder")), (who == 7, who != 7));
            if who != 7 {
                assert_eq!(
                    (&met["email"], &met["imported_email"]),
                    (&users::unclaimed(&id(of).to_string()).into(), &email.into())
                );
                assert_eq!(met["password_hash"], Json::Null);
            }
        }
        // An id that is taken is replaced, whatever the address.
        let mut state = State::new(id(1), id(1), "acme", false, "head");
        let met = state.meet(row(7, Some("a@example.com"), None), &accounts(), Some(&mallory));
        assert!(state.changed && met["id"] != own.as_str() && met.contains_key("placeholder"), "{met:?}");
        assert_eq!(met["id"], state.mapped(&own));
    }

    #[test]
    fn the_operators_file_makes_accounts_but_of_what_is_hearsay_in_it() {
        let mut state = State::new(id(1), id(2), "acme", true, "head");
        let met = state.meet(row(3, Some("a@example.com"), None), &accounts(), None);
        assert_eq!((&met["id"], &met["known"]), (&id(7).to_string().into(), &true.into()));
        // Another user's id.
        let met = state.meet(row(4, Some("b@example.com"), None), &accounts(), None);
        assert!(met["id"] != id(4).to_string() && !met.contains_key("placeholder"), "{met:?}");
        let met = state.meet(row(5, Some("c@example.com"), None), &accounts(), None);
        assert_eq!((&met["id"], &met["password_hash"]), (&id(5).to_string().into(), &"x".into()));
        let met = state.meet(row(6, None, Some("a@example.com")), &accounts(), None);
        assert_eq!(
            (&met["id"], &met["imported_email"]),
            (&id(6).to_string().into(), &"a@example.com".into())
        );
        assert!(met.contains_key("placeholder") && !met.contains_key("known"), "{met:?}");
        // People, the tenant, and all else.
        let mapped = [id(3), id(5), id(1), id(9)].map(|id| state.mapped(&id.to_string()));
        assert_eq!(mapped[..3], [id(7), id(5), id(2)].map(|id| id.to_string()));
        assert_ne!(mapped[3], id(9).to_string());
        // The stored state reads back the same.
        state.chain[0] = Head { seq: 3, hash: "0".repeat(64) };
        let stored = State::read(id(2), &state.store()).map(|state| state.store());
        assert_eq!(stored, Some(state.store()));
    }
}
