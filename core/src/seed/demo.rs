//! A believable data set: three tenants, forty people, sixty projects in every state of the workflow, with tasks,
//! comments and refusals. Accounts and memberships are the operator's; all else is done by those people, through the same
//! doors as any client's requests.

use std::{sync::Arc, time::Duration};

use http::Method;
use serde_json::{Value, json};

use crate::{
    dispatch::{App, Operator},
    input::Leaf,
    inside::Inside,
    password::NewPassword,
    problem::{Code, Problem},
    values::{AccountEmail, Email, Name, Role, Slug},
};

/// The password of everybody.
pub const PASSWORD: &str = "bailiwick-demo";

/// A tenant: its slug, its name, how many of the people below are in it, from its first one on, and its projects.
type Plan = (&'static str, &'static str, usize, &'static [&'static str]);

/// Of each tenant the first person is the owner, the next two are managers, the last two viewers, the others members.
const MANAGERS: usize = 2;
const VIEWERS: usize = 2;

const TENANTS: &[Plan] = &[
    (
        "brook-and-lane",
        "Brook & Lane Architects",
        14,
        &[
            "Library extension",
            "Harbour baths",
            "School canteen",
            "Timber footbridge",
            "Town hall roof",
            "Row houses in Mill Lane",
            "Bus depot",
            "Chapel acoustics",
            "Market hall lighting",
            "Kindergarten garden",
            "Courtyard survey",
            "Museum entrance",
            "Boathouse",
            "Student flats",
            "Workshop conversion",
            "Allotment sheds",
            "Station forecourt",
            "Clinic waiting room",
            "Vineyard cellar",
            "Competition: river park",
        ],
    ),
    (
        "helios-energy",
        "Helios Energy Coöperative",
        16,
        &[
            "Solar roof, primary school",
            "Solar roof, fire station",
            "Battery in the old brewery",
            "Heat pumps for Oak Street",
            "Wind survey, north ridge",
            "Members' app",
            "Tariff 2027",
            "Smart meters, phase 2",
            "Grid connection Südhang",
            "Charging points, car park",
            "Annual report",
            "Community meeting",
            "Insurance renewal",
            "Heat network study",
            "Roof inspection drones",
            "Billing migration",
            "New logo",
            "Switchgear replacement",
            "Apprentice programme",
            "Hydro: mill weir",
        ],
    ),
    (
        "st-nicholas",
        "St Nicholas Hospital",
        10,
        &[
            "Ward 3 refurbishment",
            "Electronic prescriptions",
            "Night shift roster",
            "MRI replacement",
            "Hand hygiene campaign",
            "Kitchen supplier",
            "Fire drill",
            "Visitor wayfinding",
            "Blood bank audit",
            "Paediatric play corner",
            "Emergency generator test",
            "Patient survey",
            "Bed tracking",
            "Staff wellbeing",
            "Sterilisation line",
            "Car park barrier",
            "Archive digitisation",
            "Interpreter service",
            "Summer fête",
            "Pharmacy robot",
        ],
    ),
];

const FIRST: &[&str] = &[
    "Amara",
    "Benedikt",
    "Chiara",
    "Dmitri",
    "Élodie",
    "Farid",
    "Greta",
    "Hiroshi",
    "Ingrid",
    "Jamal",
    "Katarzyna",
    "Luís",
    "Maeve",
    "Nikos",
    "Olga",
    "Priya",
    "Quentin",
    "Rosa",
    "Søren",
    "Tomás",
    "Ulrike",
    "Viktor",
    "Wanjiru",
    "Xiomara",
    "Yusuf",
    "Zofia",
    "Anders",
    "Beatriz",
    "Cem",
    "Dagmar",
    "Emeka",
    "Fatima",
    "Giulio",
    "Hana",
    "Ivo",
    "Jelena",
    "Kofi",
    "Leila",
    "Matteo",
    "Noor",
];
const LAST: &[&str] = &[
    "Okafor",
    "Lindqvist",
    "Moretti",
    "Petrov",
    "Dubois",
    "Haddad",
    "Weiß",
    "Tanaka",
    "Berg",
    "Carter",
    "Nowak",
    "Ferreira",
    "Byrne",
    "Papadakis",
    "Ivanova",
    "Nair",
    "Laurent",
    "Delgado",
    "Holm",
    "Herrera",
];

/// Tasks: title, priority, status while the project is open.
const TASKS: &[(&str, &str, &str)] = &[
    ("Agree on the scope", "high", "done"),
    ("Ask for three offers", "normal", "done"),
    ("Write the brief", "normal", "in_progress"),
    ("Book the site visit", "low", "todo"),
    ("Check the budget with finance", "urgent", "in_progress"),
    ("Get the permit", "high", "blocked"),
    ("Tell the neighbours", "normal", "todo"),
    ("Plan the first week", "normal", "todo"),
];

const COMMENTS: &[&str] = &[
    "I have asked, and they will answer by Thursday.",
    "The second offer is the better one, but it does not include delivery.",
    "Blocked until the permit is there. I called twice.",
    "Done on my side; please have a look.",
];

/// The ways to each state: who goes, and where to.
type Moves = &'static [(Role, &'static str)];
/// All of it. What is under way has gone a part of it.
const WAY: Moves = &[
    (Role::Member, "submitted"),
    (Role::Manager, "approved"),
    (Role::Member, "in_progress"),
    (Role::Manager, "completed"),
    (Role::Owner, "archived"),
];
const DRAFT: Moves = WAY.split_at(0).0;
const SUBMITTED: Moves = WAY.split_at(1).0;
const APPROVED: Moves = WAY.split_at(2).0;
const IN_PROGRESS: Moves = WAY.split_at(3).0;
const COMPLETED: Moves = WAY.split_at(4).0;
const ARCHIVED: Moves = WAY;
const REJECTED: Moves = &[(Role::Member, "submitted"), (Role::Manager, "rejected")];
/// Twenty projects go these ways, one after the other; most are under way.
const WAYS: &[Moves] = &[
    IN_PROGRESS,
    DRAFT,
    SUBMITTED,
    IN_PROGRESS,
    COMPLETED,
    REJECTED,
    IN_PROGRESS,
    APPROVED,
    ARCHIVED,
    SUBMITTED,
];

/// How many tenants, people and projects there will be.
#[must_use]
pub fn size() -> (usize, usize, usize) {
    let (people, projects) = TENANTS
        .iter()
        .fold((0, 0), |(people, projects), (_, _, size, names)| (people + size, projects + names.len()));
    (TENANTS.len(), people, projects)
}

/// A person, who can ask.
struct Person {
    id: String,
    email: Email,
    role: Role,
    inside: Inside,
}

/// What was added.
#[derive(Debug, Default)]
pub struct Added {
    /// The slug of each tenant, and the address of its owner.
    pub tenants: Vec<(String, String)>,
    /// How many people.
    pub people: usize,
    /// How many projects.
    pub projects: usize,
    /// How many tasks.
    pub tasks: usize,
}

/// Adds it all, and reports each project as it is done.
///
/// # Errors
/// A sentence about what failed. If any of the tenants is there already, nothing is added.
pub async fn run(app: &Arc<App>, mut done: impl FnMut()) -> Result<Added, String> {
    let operator = Operator::new(app);
    let there = operator.tenants().await.map_err(|problem| problem.sentence())?;
    if let Some(found) = there.iter().find(|tenant| TENANTS.iter().any(|plan| plan.0 == tenant.slug.as_str()))
    {
        return Err(format!("The tenant {} is there already. Nothing was added.", found.slug.as_str()));
    }
    // They all have the same, so it is hashed once.
    let password = NewPassword::from_value(PASSWORD.into()).map_err(|fault| fault.detail)?;
    let hash = operator.hash(Some(password)).await.map_err(|problem| problem.sentence())?;
    let (mut added, mut number) = (Added::default(), 0);
    for (slug, name, size, projects) in TENANTS {
        let mut people: Vec<Person> = Vec::new();
        for place in 0..*size {
            let person = enrol(app, &operator, number, &hash, (slug, name), (place, *size)).await?;
            people.push(person);
            number += 1;
        }
        for (index, name) in projects.iter().enumerate() {
            added.tasks += project(app, &people, index, name).await?;
            done();
        }
        let owner = people.first().map_or_else(String::new, |person| person.email.as_str().to_owned());
        added.tenants.push(((*slug).to_owned(), owner));
        added.people += people.len();
        added.projects += projects.len();
    }
    Ok(added)
}

/// Makes an account and a member of it; the first one makes the tenant.
async fn enrol(
    app: &Arc<App>,
    operator: &Operator,
    number: usize,
    hash: &str,
    (slug, tenant): (&str, &str),
    (place, size): (usize, usize),
) -> Result<Person, String> {
    let (first, last) = (FIRST[number % FIRST.len()], LAST[(number * 7) % LAST.len()]);
    let local = |name: &str| {
        name.to_lowercase()
            .replace('é', "e")
            .replace('í', "i")
            .replace('ø', "o")
            .replace('á', "a")
            .replace('ß', "ss")
    };
    let email = format!("{}.{}@{slug}.example", local(first), local(last));
    let email = Email::parse(&email).map_err(|fault| fault.detail)?;
    let account = AccountEmail::from(&email);
    let name = Name::parse(&format!("{first} {last}")).map_err(|fault| fault.detail)?;
    let slug = Slug::parse(slug).map_err(|fault| fault.detail)?;
    let role = match place {
        0 => Role::Owner,
        1..=MANAGERS => Role::Manager,
        place if place + VIEWERS >= size => Role::Viewer,
        _ => Role::Member,
    };
    let told = |problem: Box<Problem>| format!("{}: {}", email.as_str(), problem.sentence());
    let id = match operator.enrol(&email, &name, hash.to_owned()).await {
        // Left by a run that was broken off, or whose tenants were deleted.
        Err(problem) if problem.code == Code::EmailTaken => operator.user(&account).await.map_err(told)?.id,
        id => id.map_err(told)?,
    };
    let token = operator.sign_in(&account).await.map_err(told)?.access_token;
    let inside = Inside::new(app, token, slug.as_str());
    if role == Role::Owner {
        // By the operator, to whom the slug of a tenant that was deleted is free.
        let name = Name::parse(tenant).map_err(|fault| fault.detail)?;
        operator.create_tenant(slug, name, &account).await.map_err(told)?;
    } else {
        operator.admit(&slug, &account, role).await.map_err(told)?;
    }
    Ok(Person { id: id.to_string(), email, role, inside })
}

/// Makes a project with its tasks, and has it go its way. Returns how many tasks it has.
async fn project(app: &App, people: &[Person], index: usize, name: &str) -> Result<usize, String> {
    let of = |role: Role, nth: usize| {
        let of: Vec<_> = people.iter().filter(|person| person.role == role).collect();
        of.get(nth % of.len().max(1)).copied().ok_or_else(|| format!("There is no {}.", role.as_str()))
    };
    let post = async |person: &Person, path: &str, body: Value| {
        let made = person.inside.ask(Method::POST, path, &body).await;
        made.map_err(|(_, why)| format!("{path} does not take {body}: {why}"))
    };
    let member = of(Role::Member, index)?;
    let visibility = if index.is_multiple_of(3) { "public" } else { "private" };
    let description =
        format!("{name}: what it takes, who does it, and until when. See the tasks for where it stands.");
    let new = json!({ "name": name, "description": description, "visibility": visibility });
    let made = post(member, "/v1/projects", new).await?;
    let path = format!("/v1/projects/{}", made["id"].as_str().unwrap_or_default());
    let moves = WAYS[index % WAYS.len()];
    let over = moves.len() > IN_PROGRESS.len();
    let count = 2 + index * 5 % (TASKS.len() - 1);
    let tasks = (0..count).map(|nth| {
        let (title, priority, status) = TASKS[(index + nth) % TASKS.len()];
        let assignee = &people[(index + nth * 3) % (people.len() - VIEWERS)];
        let due = app.now().plus(Duration::from_hours(24 * (3 + nth as u64 * 9))).date();
        let status = if over { "done" } else { status };
        json!({
            "op": "create", "title": title, "priority": priority, "status": status,
            "assignee_id": assignee.id, "due_on": due,
        })
    });
    let operations = json!({ "operations": tasks.collect::<Vec<_>>() });
    let made = post(of(Role::Manager, index)?, &format!("{path}/tasks/bulk"), operations).await?;
    for nth in 0..index % 3 {
        let task = made["results"][nth]["task"]["id"].as_str().unwrap_or_default();
        let comment = json!({ "body": COMMENTS[(index + nth) % COMMENTS.len()] });
        post(of(Role::Member, index + nth)?, &format!("/v1/tasks/{task}/comments"), comment).await?;
    }
    for (role, to) in moves {
        let comment = if *to == "rejected" { "Not this year: the budget is spent." } else { "" };
        let wanted = if comment.is_empty() {
            json!({ "to": to, "revision": 1 })
        } else {
            json!({ "to": to, "comment": comment })
        };
        post(of(*role, index)?, &format!("{path}/transitions"), wanted).await?;
    }
    Ok(count)
}
