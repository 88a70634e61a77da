//! A tenant's configuration: a document with defaults for all that it does not say, changed by merge patch.

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value as Json};

use crate::kernel::{
    decode::{Clearable, Fault, FaultCode, Field, Scalar, input},
    json, limits,
    values::{
        Email, Name,
        enumerations::{Channel, Enumeration, NotificationKind, wire_enum},
        string,
    },
};

wire_enum! {
    /// The role of a person who registers for a tenant that is open to everybody.
    OpenRole {
        /// Can read.
        Viewer = "viewer",
        /// Can work on projects.
        Member = "member",
    }
}

/// The text that stands for the secret part of a URL.
const MASK: &str = "/***";

/// The address of a webhook. Anyone who knows it can use it, so it is shown masked.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookUrl(String);

impl WebhookUrl {
    /// The whole address, for requests to it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    fn masked(&self) -> String {
        let (scheme, rest) = self.0.split_once("://").unwrap_or_default();
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        format!("{scheme}://{host}{MASK}")
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Serialize for WebhookUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.masked())
    }
}

impl Scalar for WebhookUrl {
    fn from_value(value: Json) -> Result<Self, Fault> {
        let text = string(value)?;
        if text.chars().count() > limits::WEBHOOK_URL {
            let detail = format!("Expected at most {} characters.", limits::WEBHOOK_URL);
            return Err(Fault::new(FaultCode::TooLong, detail));
        }
        // A client that sends back a masked address would lose the real one.
        if text.ends_with(MASK) {
            let detail =
                "This is how a webhook is shown, not a webhook; leave it out to keep the present one.";
            return Err(Fault::new(FaultCode::NotAllowed, detail));
        }
        Ok(Self(text))
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for WebhookUrl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WebhookUrl".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "uri",
            "maxLength": limits::WEBHOOK_URL,
            "description": "An incoming webhook of Slack. Answers mask it: everything except its host is `***`.",
        })
    }
}

/// What a channel needs of a tenant's configuration.
impl Channel {
    /// The member of the configuration with the webhook that its messages go to. Anyone who knows the webhook can use
    /// it, so exports leave it out unless secrets are asked for, and it must be at one of [`Self::hosts`].
    pub(crate) const fn webhook(self) -> Option<&'static str> {
        match self {
            Self::InApp | Self::Email => None,
            Self::Slack => Some("slack_webhook_url"),
        }
    }

    /// The hosts at which a tenant may have the webhook. The operator may allow others.
    pub(crate) const fn hosts(self) -> &'static [&'static str] {
        match self {
            Self::InApp | Self::Email => &[],
            Self::Slack => &["hooks.slack.com", "hooks.slack-gov.com"],
        }
    }
}

/// The kinds whose channels a tenant chooses. Invitations go by email: their recipients are no members yet.
pub(crate) fn configurable() -> impl Iterator<Item = NotificationKind> {
    NotificationKind::ALL.iter().copied().filter(|kind| *kind != NotificationKind::Invitation)
}

/// The channels of each kind of notification.
pub(crate) type Channels = BTreeMap<NotificationKind, Vec<Channel>>;

/// The changes of the channels: a list replaces, `null` restores the default; `null` in place of all of it restores all
/// defaults.
#[derive(Clone, Debug, Default)]
pub struct ChannelsPatch(Vec<(NotificationKind, Option<Vec<Channel>>)>);

impl Field for ChannelsPatch {
    fn from_field(value: Option<Json>) -> Result<Self, Vec<Fault>> {
        let members = match value {
            None => return Ok(Self::default()),
            Some(Json::Null) => return Ok(Self(configurable().map(|kind| (kind, None)).collect())),
            Some(Json::Object(members)) => members,
            Some(other) => return Err(vec![Fault::wrong_type("an object", &other)]),
        };
        let (mut patch, mut faults) = (Self::default(), Vec::new());
        for (name, value) in members {
            let Some(kind) = configurable().find(|kind| kind.as_str() == name) else {
                faults.push(
                    Fault::new(FaultCode::Unknown, "Nothing of this name is known here.").within(&name),
                );
                continue;
            };
            match <Option<Vec<Channel>>>::from_field(Some(value)) {
                Ok(channels) => patch.0.push((kind, channels.map(|channels| Channel::set(&channels)))),
                Err(found) => faults.extend(found.into_iter().map(|fault| fault.within(&name))),
            }
        }
        if faults.is_empty() { Ok(patch) } else { Err(faults) }
    }
}

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for ChannelsPatch {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ChannelsPatch".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let properties = channels_of_kinds(&generator.subschema_for::<Option<Vec<Channel>>>());
        schemars::json_schema!({
            "type": ["object", "null"], "properties": properties, "additionalProperties": false, "x-optional": true
        })
    }
}

input! {
    /// The changes of a tenant's configuration. Absent fields stay as they are; `null` restores the default.
    pub struct TenantConfigPatch {
        /// The channels of each kind of notification.
        pub channels: ChannelsPatch,
        /// The incoming webhook of the tenant's Slack channel.
        pub slack_webhook_url: Clearable<WebhookUrl>,
        /// The sender name of the tenant's emails; by default the tenant's name.
        pub email_sender_name: Clearable<Name>,
        /// The address for replies to the tenant's emails.
        pub email_reply_to: Clearable<Email>,
        /// The role of people who register for this tenant without an invitation. By default they do not join it.
        pub open_registration: Clearable<OpenRole>,
    }
}

impl TenantConfigPatch {
    /// The webhook that it sets for a channel.
    pub(crate) fn webhook(&self, channel: Channel) -> Option<&WebhookUrl> {
        match channel {
            Channel::InApp | Channel::Email => None,
            Channel::Slack => self.slack_webhook_url.0.as_ref()?.as_ref(),
        }
    }
}

/// A tenant's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct TenantConfig {
    /// The channels of each kind of notification.
    #[serde(serialize_with = "all_channels")]
    #[cfg_attr(feature = "openapi", schemars(with = "AllChannels"))]
    channels: Channels,
    /// The incoming webhook of the tenant's Slack channel, masked.
    pub slack_webhook_url: Option<WebhookUrl>,
    /// The sender name of the tenant's emails; `null` means the tenant's name.
    pub email_sender_name: Option<Name>,
    /// The address for replies to the tenant's emails.
    pub email_reply_to: Option<Email>,
    /// The role of people who register for this tenant without an invitation; `null` means that they do not join it.
    pub open_registration: Option<OpenRole>,
}

fn all_channels<S: Serializer>(chosen: &Channels, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(configurable().map(|kind| (kind, chosen_or_default(chosen, kind))))
}

fn chosen_or_default(chosen: &Channels, kind: NotificationKind) -> &[Channel] {
    match kind {
        NotificationKind::Invitation => &[Channel::Email],
        _ => chosen.get(&kind).map_or(&[Channel::InApp], Vec::as_slice),
    }
}

#[cfg(feature = "openapi")]
fn channels_of_kinds(channels: &schemars::Schema) -> Map<String, Json> {
    let described = |kind: NotificationKind| {
        let mut channels = channels.clone();
        channels.insert("description".to_owned(), format!("The channels of `{}`.", kind.as_str()).into());
        (kind.as_str().to_owned(), channels.into())
    };
    configurable().map(described).collect()
}

#[cfg(feature = "openapi")]
struct AllChannels;

#[cfg(feature = "openapi")]
impl schemars::JsonSchema for AllChannels {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AllChannels".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let properties = channels_of_kinds(&generator.subschema_for::<Vec<Channel>>());
        let required: Vec<_> = configurable().map(NotificationKind::as_str).collect();
        schemars::json_schema!({ "type": "object", "properties": properties, "required": required })
    }
}

impl TenantConfig {
    /// Reads the document of [`Self::store`]. Values that this version does not know are treated as absent.
    pub(crate) fn read(stored: Json) -> Self {
        fn take<T: Scalar>(stored: &mut Map<String, Json>, name: &str) -> Option<T> {
            stored.remove(name).and_then(|value| T::from_value(value).ok())
        }
        let Json::Object(mut stored) = stored else { return Self::default() };
        let mut channels = Channels::new();
        if let Some(Json::Object(stored)) = stored.remove("channels") {
            for (kind, chosen) in stored {
                if let (Some(kind), Ok(chosen)) = (NotificationKind::parse(&kind), Vec::from_value(chosen)) {
                    channels.insert(kind, chosen);
                }
            }
        }
        Self {
            channels,
            slack_webhook_url: take(&mut stored, "slack_webhook_url"),
            email_sender_name: take(&mut stored, "email_sender_name"),
            email_reply_to: take(&mut stored, "email_reply_to"),
            open_registration: take(&mut stored, "open_registration"),
        }
    }

    /// The document that the database keeps: the choices without the defaults, secrets in full.
    pub(crate) fn store(&self) -> Json {
        let chosen =
            |(kind, channels): (&NotificationKind, &Vec<Channel>)| (kind.as_str(), channels.clone().into());
        let mut stored = vec![("channels", json::object(self.channels.iter().map(chosen).collect()))];
        let mut keep = |name, value: Option<Json>| stored.extend(value.map(|value| (name, value)));
        keep("slack_webhook_url", self.slack_webhook_url.as_ref().map(|url| url.expose().into()));
        keep("email_sender_name", self.email_sender_name.clone().map(Json::from));
        keep("email_reply_to", self.email_reply_to.clone().map(Json::from));
        keep("open_registration", self.open_registration.map(Json::from));
        json::object(stored)
    }

    /// Merges a patch (RFC 7396).
    pub(crate) fn merge(&mut self, patch: TenantConfigPatch) {
        fn set<T>(field: &mut Option<T>, patch: Clearable<T>) {
            if let Some(value) = patch.0 {
                *field = value;
            }
        }
        for (kind, channels) in patch.channels.0 {
            match channels {
                Some(channels) => self.channels.insert(kind, channels),
                None => self.channels.remove(&kind),
            };
        }
        set(&mut self.slack_webhook_url, patch.slack_webhook_url);
        set(&mut self.email_sender_name, patch.email_sender_name);
        set(&mut self.email_reply_to, patch.email_reply_to);
        set(&mut self.open_registration, patch.open_registration);
    }

    /// Whether a kind goes by Slack although there is no webhook: its notifications would reach nobody.
    pub(crate) fn lacks_webhook(&self) -> bool {
        self.slack_webhook_url.is_none()
            && self.channels.values().flatten().any(|channel| *channel == Channel::Slack)
    }

    /// The channels of a kind.
    pub(crate) fn channels(&self, kind: NotificationKind) -> &[Channel] {
        chosen_or_default(&self.channels, kind)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::kernel::decode::{Input, Object};

    fn patch(value: Json) -> Result<TenantConfigPatch, Vec<(String, FaultCode)>> {
        let Json::Object(members) = value else { panic!("an object") };
        TenantConfigPatch::decode(Object::new(members))
            .map_err(|faults| faults.into_iter().map(|fault| (fault.pointer, fault.code)).collect())
    }

    #[test]
    fn a_patch_sets_clears_and_leaves() {
        let mut config = TenantConfig::default();
        assert_eq!(config.channels(NotificationKind::Approved), [Channel::InApp]);
        let url = "https://hooks.slack.com/services/secret";
        config.merge(
            patch(json!({
                "channels": { "approved": ["slack", "email", "slack"], "mentioned": [] },
                "slack_webhook_url": url, "email_sender_name": "PM",
            }))
            .unwrap(),
        );
        config.merge(patch(json!({ "channels": { "mentioned": null }, "email_sender_name": null })).unwrap());
        assert_eq!(config.channels(NotificationKind::Approved), [Channel::Email, Channel::Slack]);
        assert_eq!(config.channels(NotificationKind::Mentioned), [Channel::InApp]);
        assert_eq!(config.email_sender_name, None);
        let again = TenantConfig::read(config.store());
        assert_eq!(again, config);
        assert_eq!(again.slack_webhook_url.as_ref().map(WebhookUrl::expose), Some(url));
        let shown = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(!shown.contains("secret") && shown.contains("https://hooks.slack.com/***"), "{shown}");
        for secret in ["?token=secret", "#secret", "/secret?secret#secret"] {
            assert_eq!(WebhookUrl(format!("https://h:1{secret}")).masked(), "https://h:1/***");
        }
        config.merge(patch(json!({ "channels": null })).unwrap());
        assert_eq!(config.channels(NotificationKind::Approved), [Channel::InApp]);
    }

    #[test]
    fn the_webhook_of_each_channel_is_a_member_of_the_configuration() {
        for channel in Channel::ALL {
            let Some(member) = channel.webhook() else { continue };
            let patch = patch(json!({ member: "https://example.com/secret" })).unwrap();
            let url = patch.webhook(*channel).map(|url| url.expose().to_owned());
            assert_eq!(url.as_deref(), Some("https://example.com/secret"), "{channel:?}");
            let mut config = TenantConfig::default();
            config.merge(patch);
            assert_eq!(config.store()[member], "https://example.com/secret", "{channel:?}");
            assert!(!channel.hosts().is_empty(), "{channel:?}");
        }
    }

    #[test]
    fn faults_are_pointed_at() {
        let faults = patch(json!({
            "channels": { "approved": ["pigeon"], "invitation": [], "rejected": "email" },
            "open_registration": "owner",
        }))
        .unwrap_err();
        assert_eq!(
            faults,
            [
                ("/channels/approved/0".to_owned(), FaultCode::NotAllowed),
                ("/channels/invitation".to_owned(), FaultCode::Unknown),
                ("/channels/rejected".to_owned(), FaultCode::WrongType),
                ("/open_registration".to_owned(), FaultCode::NotAllowed),
            ]
        );
    }
}
