//! Decisions by a document once more, written another way: straight from the JSON, as a list of conditions with a code
//! each. It shares nothing with `decide.rs` but the codes' texts.

use serde_json::Value;

/// The acting person and the state of the project.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    pub(super) role: &'static str,
    pub(super) roles: Vec<String>,
    pub(super) relations: Vec<&'static str>,
    pub(super) status: String,
    pub(super) open_tasks: i64,
    pub(super) tasks_due_later: i64,
    pub(super) managers: i64,
    pub(super) minutes: i64,
    pub(super) holds: Vec<String>,
    /// Whether the holds are disputed, and whether by the acting person.
    pub(super) dispute: Option<bool>,
    pub(super) released: Vec<String>,
    pub(super) comment: bool,
    pub(super) revision: bool,
    pub(super) approvals: i64,
    pub(super) rejections: i64,
}

fn rank(role: &Value) -> usize {
    let order = ["viewer", "member", "manager", "owner"];
    order.iter().position(|name| Some(*name) == role.as_str()).unwrap_or(0)
}

fn list(value: &Value) -> Vec<&str> {
    value.as_array().map(|items| items.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

fn meets(needed: &[&str], has: &[impl AsRef<str>]) -> bool {
    needed.is_empty() || needed.iter().any(|item| has.iter().any(|own| own.as_ref() == *item))
}

/// The code for a person whom no alternative admits.
fn lacks(who: &Value, scene: &Scene) -> Option<&'static str> {
    let mine = rank(&scene.role.into());
    if who.as_array().is_none_or(Vec::is_empty) {
        return Some("nobody_may");
    }
    let open: Vec<_> =
        who.as_array().into_iter().flatten().filter(|clause| rank(&clause["role"]) <= mine).collect();
    let fits = |clause: &&Value| {
        meets(&list(&clause["roles"]), &scene.roles) && meets(&list(&clause["relations"]), &scene.relations)
    };
    if open.iter().copied().any(|clause| fits(&clause)) {
        return None;
    }
    let Some(first) = open.first() else { return Some("insufficient_role") };
    if !meets(&list(&first["roles"]), &scene.roles) {
        return Some("domain_role_required");
    }
    let submitter_only = list(&first["relations"]) == ["submitter"];
    Some(if submitter_only { "not_the_submitter" } else { "relation_required" })
}

/// The four eyes.
fn excluded(transition: &Value, scene: &Scene) -> Option<&'static str> {
    let excluded = list(&transition["not"]).iter().any(|relation| scene.relations.contains(relation));
    let excused = transition["single_manager_exception"] == true
        && scene.managers < 2
        && rank(&scene.role.into()) >= rank(&"manager".into());
    (excluded && !excused).then_some("four_eyes")
}

/// Who may act, and the four eyes.
fn of_person(transition: &Value, who: &Value, scene: &Scene) -> Option<&'static str> {
    lacks(who, scene).or_else(|| excluded(transition, scene))
}

/// Guards, time and holds.
fn of_project(document: &Value, transition: &Value, scene: &Scene) -> Option<&'static str> {
    let guards = list(&transition["guards"]).into_iter().map(|guard| match guard {
        "comment" => (scene.comment, "comment_required"),
        "revision" => (scene.revision, "revision_required"),
        "no_open_tasks" => (scene.open_tasks < 1, "tasks_open"),
        "no_hold" => (scene.holds.is_empty(), "on_hold"),
        "due_dates_reached" => (scene.tasks_due_later < 1, "not_due"),
        other => panic!("a guard {other}"),
    });
    let early = scene.minutes < transition["minimum_minutes"].as_i64().unwrap_or(0);
    let key = transition["key"].as_str().expect("a key");
    let is = |keys: &[String], hold: &Value| keys.iter().any(|key| hold["key"] == key.as_str());
    let blocked = document["holds"].as_array().into_iter().flatten().any(|hold| {
        let owed = hold["must_be_released"] == true && !is(&scene.released, hold);
        list(&hold["blocks"]).contains(&key) && (owed || is(&scene.holds, hold))
    });
    let releases = list(&transition["effects"]["release_holds"]);
    let disputed =
        scene.dispute.is_some() && releases.iter().any(|key| scene.holds.iter().any(|held| held == key));
    let all = guards.chain([(!early, "too_early"), (!blocked, "on_hold"), (!disputed, "hold_disputed")]);
    all.into_iter().find(|(met, _)| !met).map(|(_, code)| code)
}

fn leads(transition: &Value, scene: &Scene) -> Result<(), &'static str> {
    let from = list(&transition["from"]);
    if from.contains(&scene.status.as_str()) { Ok(()) } else { Err("transition_not_allowed") }
}

/// Moves a project: the status afterwards, or the code.
pub(super) fn moved<'a>(
    document: &'a Value,
    transition: &'a Value,
    scene: &Scene,
) -> Result<&'a str, &'static str> {
    leads(transition, scene)?;
    if transition["approvals"].is_object() {
        return Err("approvals_required");
    }
    let refused = of_person(transition, &transition["who"], scene);
    refused.or_else(|| of_project(document, transition, scene)).map_or(Ok(()), Err)?;
    Ok(transition["to"].as_str().expect("a status"))
}

/// Votes: the status afterwards, or the code.
pub(super) fn voted<'a>(
    document: &'a Value,
    transition: &'a Value,
    approves: bool,
    scene: &'a Scene,
) -> Result<&'a str, &'static str> {
    leads(transition, scene)?;
    let round = &transition["approvals"];
    if !round.is_object() {
        return Err("no_votes");
    }
    of_person(transition, &round["of"], scene).map_or(Ok(()), Err)?;
    let (given, needed, to) = if approves {
        of_project(document, transition, scene).map_or(Ok(()), Err)?;
        (scene.approvals, round["votes"].as_i64().expect("votes"), &transition["to"])
    } else {
        (scene.rejections, round["rejections"].as_i64().unwrap_or(1), &round["reject_to"])
    };
    if given + 1 < needed { Ok(&scene.status) } else { Ok(to.as_str().expect("a status")) }
}

/// Decides alone in place of voters: the status afterwards, or the code.
pub(super) fn overridden<'a>(
    document: &'a Value,
    transition: &'a Value,
    scene: &Scene,
) -> Result<&'a str, &'static str> {
    leads(transition, scene)?;
    let round = &transition["approvals"];
    let conditions = [
        (round.is_object(), "no_votes"),
        (round["owner_override"] == true, "override_not_allowed"),
        (scene.role == "owner", "insufficient_role"),
        (excluded(transition, scene).is_none(), "four_eyes"),
        (scene.comment, "comment_required"),
    ];
    if let Some((_, code)) = conditions.into_iter().find(|(met, _)| !met) {
        return Err(code);
    }
    of_project(document, transition, scene).map_or(Ok(()), Err)?;
    Ok(transition["to"].as_str().expect("a status"))
}

/// Moves a hold: nothing, or the code.
pub(super) fn held(hold: &Value, what: &str, scene: &Scene) -> Result<(), &'static str> {
    let active = scene.holds.iter().any(|held| hold["key"] == held.as_str());
    let disputed = active && scene.dispute.is_some();
    let refunders =
        if hold["refunded_by"].as_array().is_none_or(Vec::is_empty) { "released_by" } else { "refunded_by" };
    let (who, state) = match what {
        "place" => ("placed_by", active.then_some("hold_active")),
        "resolve" => ("resolved_by", (!disputed).then_some("hold_not_disputed")),
        "release" => ("released_by", disputed.then_some("hold_disputed")),
        "refund" => (refunders, disputed.then_some("hold_disputed")),
        "dispute" => ("disputed_by", disputed.then_some("hold_disputed")),
        other => panic!("{other} of a hold"),
    };
    let missing = (what != "place" && !active).then_some("hold_not_active");
    let own = (what == "resolve" && scene.dispute == Some(true)).then_some("four_eyes");
    missing.or(state).or_else(|| lacks(&hold[who], scene)).or(own).map_or(Ok(()), Err)
}
