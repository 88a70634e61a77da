//! A believable data set: three tenants, forty people, sixty projects in every state of the workflow, and their history
//! of ninety days. The operator makes accounts and memberships; those people do everything else, through the same
//! scopes as any client's requests, at the times of the story.

use std::sync::Arc;

use crate::{
    access::scopes::operator::OperatorScope,
    dispatch::App,
    http::problem::{Code, Problem},
    kernel::{
        decode::Scalar,
        password::NewPassword,
        values::{Email, Name, Slug, email::AccountEmail, enumerations::Role},
    },
    seed::{
        client::Inside,
        story::{self, Past, Person},
    },
};

/// The password of everybody.
pub const PASSWORD: &str = "bailiwick-demo";

/// A tenant.
struct Plan {
    slug: &'static str,
    name: &'static str,
    /// The number of its people, who are taken from those below in order.
    people: usize,
    /// The names of its projects.
    projects: &'static [&'static str],
}

/// The first person of each tenant is the owner, the next two are managers, the last two viewers, the others members.
const MANAGERS: usize = 2;
pub(super) const VIEWERS: usize = 2;

const TENANTS: &[Plan] = &[
    Plan {
        slug: "brook-and-lane",
        name: "Brook & Lane Architects",
        people: 14,
        projects: &[
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
    },
    Plan {
        slug: "helios-energy",
        name: "Helios Energy Coöperative",
        people: 16,
        projects: &[
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
    },
    Plan {
        slug: "st-nicholas",
        name: "St Nicholas Hospital",
        people: 10,
        projects: &[
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
    },
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

/// The size of the whole data set.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// The number of tenants.
    pub tenants: usize,
    /// The number of people.
    pub people: usize,
    /// The number of projects.
    pub projects: usize,
}

/// The size of the whole data set.
#[must_use]
pub fn size() -> Size {
    Size {
        tenants: TENANTS.len(),
        people: TENANTS.iter().map(|plan| plan.people).sum(),
        projects: TENANTS.iter().map(|plan| plan.projects.len()).sum(),
    }
}

/// The rows that were added.
#[derive(Debug, Default)]
pub struct Added {
    /// The slug of each tenant, and the address of its owner.
    pub tenants: Vec<(String, String)>,
    /// The number of people.
    pub people: usize,
    /// The number of projects.
    pub projects: usize,
    /// The number of tasks.
    pub tasks: usize,
}

/// Adds it all, and reports each project as it is done.
///
/// # Errors
/// A sentence about the failure. If any of the tenants exists already, nothing is added.
pub async fn run(app: &Arc<App>, mut done: impl FnMut()) -> Result<Added, String> {
    let (past, app) = Past::of(app)?;
    let (app, operator) = (&app, app.operator());
    let there = operator.tenants().await.map_err(|problem| problem.sentence())?;
    if let Some(found) =
        there.iter().find(|tenant| TENANTS.iter().any(|plan| plan.slug == tenant.slug.as_str()))
    {
        return Err(format!("The tenant {} is there already. Nothing was added.", found.slug.as_str()));
    }
    // They all have the same password, so it is hashed once.
    let password = NewPassword::from_value(PASSWORD.into()).map_err(|fault| fault.detail)?;
    let hash = operator.hash(Some(password)).await.map_err(|problem| problem.sentence())?;
    let (mut added, mut number) = (Added::default(), 0);
    for plan in TENANTS {
        past.set(story::BEGINS);
        let mut people: Vec<Person> = Vec::new();
        for place in 0..plan.people {
            let person = enrol(app, &operator, number, &hash, plan, place).await?;
            people.push(person);
            number += 1;
        }
        added.tasks += story::tell(app, &past, &people, plan.projects, &mut done).await?;
        let owner = people.first().map_or_else(String::new, |person| person.email.as_str().to_owned());
        added.tenants.push((plan.slug.to_owned(), owner));
        added.people += people.len();
        added.projects += plan.projects.len();
    }
    Ok(added)
}

/// Makes an account and a member of it; the first one makes the tenant.
async fn enrol(
    app: &Arc<App>,
    operator: &OperatorScope,
    number: usize,
    hash: &str,
    plan: &Plan,
    place: usize,
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
    let email = format!("{}.{}@{}.example", local(first), local(last), plan.slug);
    let email = Email::parse(&email).map_err(|fault| fault.detail)?;
    let account = AccountEmail::from(&email);
    let name = Name::parse(&format!("{first} {last}")).map_err(|fault| fault.detail)?;
    let slug = Slug::parse(plan.slug).map_err(|fault| fault.detail)?;
    let role = match place {
        0 => Role::Owner,
        1..=MANAGERS => Role::Manager,
        place if place + VIEWERS >= plan.people => Role::Viewer,
        _ => Role::Member,
    };
    let told = |problem: Box<Problem>| format!("{}: {}", email.as_str(), problem.sentence());
    let id = match operator.enrol(&email, &name, hash.to_owned()).await {
        // It is left from an interrupted run, or from tenants that were deleted.
        Err(problem) if problem.code == Code::EmailTaken => operator.user(&account).await.map_err(told)?.id,
        id => id.map_err(told)?,
    };
    let token = operator.sign_in(&account).await.map_err(told)?.access_token;
    let inside = Inside::new(app, token, slug.as_str());
    if role == Role::Owner {
        // The operator creates the tenant, because a slug that was released is free to the operator.
        let name = Name::parse(plan.name).map_err(|fault| fault.detail)?;
        operator.create_tenant(slug, name, &account).await.map_err(told)?;
    } else {
        operator.admit(&slug, &account, role).await.map_err(told)?;
    }
    Ok(Person { id: id.to_string(), email, role, inside })
}
