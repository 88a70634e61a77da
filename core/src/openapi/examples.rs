//! Examples: one small story, told by a table of the values of types and members. All other examples are composed of
//! these: Ada, who owns the tenant `acme`, plans the moon landing.
//!
//! They are for readers, and fit their schemas. They are not requests that succeed: nothing that they name
//! exists anywhere. Requests that do are made by the registry of samples, `native/src/verify/samples.rs`.

use serde_json::{Map, Value, json};

use crate::{
    http::problem::Code,
    kernel::values::enumerations::{ProjectStatus, Role},
    openapi::{operations, problems, reference_name},
};

/// The id of any request.
pub(super) const REQUEST_ID: &str = "5f0c2f6e-9d53-4c0a-8f6e-0c2f4b1d7a90";

/// The tag of something that was just created.
pub(super) const ETAG: &str = "\"1-5c9d7e21-IkHdY5I4iPa5vFFu\"";

const TOKEN: &str = "AZq9x3Hkf5Wv0mZ1c2R0bG9uZyB0b2tlbiB0aGF0IGlzIG5vdCBvbmUsIGJ1dCBsb29rcyBsaWtlIGl0LiEhIQ";
const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
const MADE_AT: &str = "2026-11-24T09:30:00.000Z";
const LATER: &str = "2027-02-22T09:30:00.000Z";

/// The value of a type in the story; `None` if it is composed of its members, or is the first of its variants.
fn of_type(name: &str) -> Option<Value> {
    let id = |last: u8| json!(format!("019ab3f2-6c00-7a10-8e4d-3b5c9d7e21{last:02x}"));
    Some(match name {
        "UserId" => id(1),
        "TenantId" => id(2),
        "MembershipId" => id(3),
        "ProjectId" | "EntityId" => id(4),
        "TaskId" => id(5),
        "CommentId" => id(6),
        "InvitationId" => id(7),
        "NotificationId" => id(8),
        "DeliveryId" => id(9),
        "ActivityId" => id(10),
        "SessionId" => id(11),
        "ApiKeyId" => id(12),
        "IdentityId" => id(13),
        "Email" => json!("ada@example.com"),
        "Name" => json!("Ada"),
        "Slug" => json!("acme"),
        "Password" | "NewPassword" => json!("correct horse"),
        "ProjectName" => json!("Moon landing"),
        "Description" => json!("Before the decade is out."),
        "TaskTitle" => json!("Build the rocket"),
        "CommentBody" => json!("The engine needs another test, @grace."),
        "TransitionComment" => json!("All parts are here."),
        "ActionName" => json!("project.created"),
        "Timestamp" => json!(MADE_AT),
        "Date" => json!("2026-12-24"),
        "Count" => json!(0),
        "Digest" => json!(HASH),
        "Place" => json!("users"),
        "Cursor" => json!("Zm9ydHkgdHdvIGJ5dGVzIGJ5IHdoaWNoIHRoZSBwYWdlIGdvZXMgb24"),
        "PageSize" => json!(20),
        "Search" => json!("moon"),
        "AssigneeFilter" => json!("me"),
        "Total" => json!({ "count": 42, "at_least": false }),
        "RefreshToken" | "InvitationToken" => json!(TOKEN),
        "ResetToken" => json!(&TOKEN[..64]),
        "ExternalToken" => json!("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"),
        "WebhookUrl" => json!("https://hooks.slack.com/***"),
        "Role" | "InvitedRole" | "OpenRole" => json!("member"),
        "Priority" => json!("high"),
        "ProblemCode" => json!("not_a_member"),
        _ => return None,
    })
}

/// A row of an exported tenant.
fn of_type_record() -> Value {
    json!({ "table": "comments", "row": of_member("Record", "row") })
}

/// The value of a member in the story, where its type has none.
fn of_member(of: &str, member: &str) -> Option<Value> {
    of_tenant(of, member).or_else(|| of_service(of, member)).or_else(|| of_transfer(of, member))
}

/// Members of objects that tenants and accounts have.
#[expect(clippy::match_same_arms, reason = "a table, ordered by subject")]
fn of_tenant(of: &str, member: &str) -> Option<Value> {
    Some(match (of, member) {
        ("TenantConfigPatch", "slack_webhook_url") => {
            json!("https://hooks.slack.com/services/T000/B000/XXXX")
        }
        ("TenantConfigPatch", "channels") => json!({ "completed": ["in_app", "slack"] }),
        (_, "channels") => return None,
        ("Tenant" | "OwnedTenant", "role") => json!("owner"),
        ("Tenant" | "OwnedTenant" | "NewTenant" | "TenantPatch", "name") => json!("Acme"),
        ("TenantConfig" | "TenantConfigPatch", "email_sender_name") => json!("Acme"),
        ("ApiKey" | "MadeApiKey" | "NewApiKey", "name") => json!("Nightly import"),
        // A day of the story would be in the past some time, and is refused then.
        ("NewApiKey", "expires_at") => Value::Null,
        ("Invitation" | "MadeInvitation" | "NewInvitation", "email") => json!("grace@example.com"),
        ("Invitation" | "MadeInvitation", "accepted_by") => Value::Null,
        ("Registration", "invitation_token") => Value::Null,
        ("PasswordChange", "new_password") => json!("battery staple"),
        ("Project", "submitted_by") => Value::Null,
        ("CatalogueProject", "status") => json!("in_progress"),
        ("TransitionRequest" | "TransitionRecord" | "Outlook" | "Transition", "to") => json!("submitted"),
        ("Activity", "entity_type") => json!("project"),
        ("Activity", "detail") => json!({ "name": "Moon landing" }),
        ("Activity", "hash") => json!(HASH),
        ("Delivery", "channel") => json!("email"),
        ("Delivery", "state") => json!("sent"),
        ("Delivery", "address") => json!("ada@example.com"),
        ("Delivery", "last_error" | "next_attempt_at") => Value::Null,
        ("Delivery" | "Notification", "title") => json!("Moon landing waits for approval"),
        ("Notification", "body") => json!("Ada has submitted it."),
        ("Delivery" | "Notification", "subject_type") => json!("project"),
        ("Notification", "read_at") => Value::Null,
        ("Comment", "edited_at") | (_, "suspended_at" | "breach" | "last_used_at") => Value::Null,
        ("Identity", "issuer") => json!("https://id.example.com"),
        ("Identity", "subject") => json!("ada"),
        ("Verification", "valid") => json!(true),
        ("Verification", "more") => json!(false),
        ("Verification" | "ChainQuery", "head") => json!(format!("1:{HASH}")),
        ("Verification", "pending") => json!(0),
        ("Project" | "TransitionRequest" | "TransitionRecord", "revision") => json!(1),
        ("TransitionRecord", "comment") => json!("All parts are here."),
        ("SessionTokens", "access_token") => json!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"),
        ("SessionTokens", "expires_in") => json!(900),
        ("SessionTokens", "refresh_expires_in") => json!(2_592_000),
        ("Session", "current") => json!(true),
        ("MadeApiKey", "key") => json!(format!("bwk_{TOKEN}AZq9x3Hkf5Wv0mZ1c2R0b")),
        ("ApiKey" | "MadeApiKey", "prefix") => json!("bwk_AZq9x3Hk"),
        (_, "expires_at") => json!(LATER),
        (_, "next_cursor") => Value::Null,
        _ => return None,
    })
}

/// Members of the service's descriptions of itself: its pages, its problems and its workflow.
fn of_service(of: &str, member: &str) -> Option<Value> {
    Some(match (of, member) {
        ("Outlook" | "Transition", "guards") => json!([]),
        ("Outlook", "allowed") => json!(true),
        ("Outlook", "refusal") => Value::Null,
        ("Workflow", "statuses") => ProjectStatus::ALL.iter().map(|status| status.as_str()).collect(),
        ("Workflow", "roles") => Role::ALL.iter().map(|role| role.as_str()).collect(),
        ("Workflow", "diagram") => {
            json!("stateDiagram-v2\n    [*] --> draft\n    draft --> submitted: member\n")
        }
        ("Home", "name") => json!("Bailiwick"),
        ("Home", "version") => json!(env!("CARGO_PKG_VERSION")),
        ("Links", "start") => json!("/start"),
        ("Links", "docs") => json!("/docs"),
        ("Links", "description") => json!("/openapi.json"),
        ("Links", "health") => json!("/readyz"),
        ("Links", "workflow") => json!("/v1/workflow"),
        ("Links", "problems") => json!("/problems"),
        ("Explanation", "type" | "code" | "title" | "status" | "meaning" | "advice") => {
            json!(Code::NotAMember.explained())[member].clone()
        }
        _ => return None,
    })
}

/// Members of exports and imports.
#[expect(clippy::match_same_arms, reason = "a table, ordered by subject")]
fn of_transfer(of: &str, member: &str) -> Option<Value> {
    Some(match (of, member) {
        ("Head" | "NewImport", "bailiwick_export") => json!(1),
        ("Head" | "NewImport", "schema_version") => json!(crate::repository::service::NEEDED_SCHEMA_VERSION),
        ("Head" | "NewImport", "secrets") => json!(false),
        ("NewImport", "as_slug" | "new_ids") => Value::Null,
        ("Export", "mark") => json!(HASH),
        ("Export", "pending") => json!(0),
        ("Export", "rows") => json!([]),
        ("Export", "next") => json!("users"),
        ("Record", "table") => json!("comments"),
        ("Record", "row") => json!({
            "id": "019ab3f2-6c00-7a10-8e4d-3b5c9d7e2106", "task_id": "019ab3f2-6c00-7a10-8e4d-3b5c9d7e2105",
            "author_id": "019ab3f2-6c00-7a10-8e4d-3b5c9d7e2101", "body": "The engine needs another test.", "edited_at": null,
            "created_at": MADE_AT, "updated_at": MADE_AT, "version": 1
        }),
        ("Rows", "rows") => json!([of_type_record()]),
        ("Import", "next") => json!(0),
        _ => return None,
    })
}

/// Adds an example to every required parameter and every body, and to the problems. Optional parameters have none:
/// importers and forms send each parameter that has one, and nobody's list has a page with the cursor of an example.
pub(super) fn add(document: &mut Value) {
    let schemas = document["components"]["schemas"].take();
    let story = Story(&schemas);
    let mut examples: Map<String, Value> = Map::new();
    for operation in operations(document) {
        for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default().to_owned();
            if parameter["required"] == true {
                parameter["example"] = story.of(&parameter["schema"], "ChainQuery", &name);
            }
        }
        if let Some(content) = operation.get_mut("requestBody").map(|body| &mut body["content"]) {
            of_content(content, &story, &mut examples);
        }
        for response in operation["responses"].as_object_mut().into_iter().flat_map(Map::values_mut) {
            if let Some(content) = response.get_mut("content") {
                of_content(content, &story, &mut examples);
            }
        }
    }
    for code in Code::ALL {
        let used = reference(code.as_str()).to_string();
        if document["paths"].to_string().contains(&used) {
            examples.insert(code.as_str().to_owned(), json!({ "value": problems::example(*code) }));
        }
    }
    document["components"]["schemas"] = schemas;
    document["components"]["examples"] = examples.into();
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/examples/{name}") })
}

fn of_content(content: &mut Value, story: &Story<'_>, examples: &mut Map<String, Value>) {
    let Some(content) = content.get_mut("application/json") else { return };
    match reference_name(&content["schema"]).map(str::to_owned) {
        Some(name) => {
            let value = story.of(&content["schema"], "", "");
            examples.insert(name.clone(), json!({ "value": value }));
            content["examples"] = json!({ "example": reference(&name) });
        }
        None => content["example"] = json!({ "openapi": "3.1.0" }),
    }
}

/// The schemas, of which examples are composed.
struct Story<'a>(&'a Value);

impl Story<'_> {
    /// An example of a schema that a member of a type has.
    fn of(&self, schema: &Value, of: &str, member: &str) -> Value {
        if let Some(told) = of_member(of, member) {
            return told;
        }
        if let Some(name) = reference_name(schema) {
            return of_type(name).unwrap_or_else(|| self.of(&self.0[name], name, ""));
        }
        if let Some(any) = schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array()) {
            return any.first().map(|first| self.of(first, of, member)).unwrap_or_default();
        }
        if let Some(fixed) =
            schema.get("const").or_else(|| schema["enum"].get(0)).or_else(|| schema.get("minimum"))
        {
            return fixed.clone();
        }
        if let Some(items) = schema.get("items") {
            return json!([self.of(items, of, "")]);
        }
        if let Some(properties) = schema["properties"].as_object() {
            let example = |(name, schema): (&String, &Value)| (name.clone(), self.of(schema, of, name));
            // Members that are included on request are no part of most answers.
            let told = properties.iter().filter(|(name, _)| *name != "included");
            return told.map(example).collect::<Map<_, _>>().into();
        }
        match schema["type"].as_str().or_else(|| schema["type"][0].as_str()) {
            Some("integer") => json!(1),
            Some("boolean") => json!(true),
            // A missing line of the table ends here: a test reports it.
            _ => Value::Null,
        }
    }
}
