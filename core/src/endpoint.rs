//! Handlers as data: what an endpoint takes and gives is read off its function's types, for dispatch and for the
//! OpenAPI document alike.

use std::{future::Future, marker::PhantomData};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderName, HeaderValue, Response, StatusCode, Uri, header};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    cursor::{Listing, next_link},
    dispatch::{Account, Lobby, NamedTenant, TenantScope, Visitor},
    input::{Input, Object, query_object},
    json,
    ports::BoxFuture,
    problem::{Code, Problem, Result},
    routes::Access,
    values::{
        ApiKeyId, CommentId, DeliveryId, IdentityId, InvitationId, NotificationId, ProjectId, SessionId,
        TaskId, UserId, uuid,
    },
};

/// A request on its way to its handler.
#[derive(Clone)]
pub(crate) struct Incoming {
    pub(crate) path: Vec<(String, String)>,
    pub(crate) query: Option<String>,
    pub(crate) content_type: Option<HeaderValue>,
    pub(crate) body: Bytes,
    pub(crate) named: NamedTenant,
    pub(crate) door: Door,
}

// What the arguments of all handlers have in common is here, and not generic: there are many handlers.
impl Incoming {
    /// Reads the body: JSON, and an object.
    fn body(&self) -> Result<Object> {
        let media_type = self.content_type.as_ref().and_then(|value| value.to_str().ok());
        let media_type = media_type.map(|value| value.split(';').next().unwrap_or_default().trim());
        if !media_type.is_some_and(|media_type| {
            media_type.eq_ignore_ascii_case("application/json")
                || media_type.eq_ignore_ascii_case("application/merge-patch+json")
        }) {
            return Err(Problem::new(Code::UnsupportedMediaType));
        }
        match json::parse(&self.body) {
            Ok(Value::Object(members)) => Ok(Object::new(members)),
            Ok(_) => Err(Problem::with(Code::MalformedJson, "The body is JSON, but not an object.")),
            Err(detail) => Err(Problem::with(Code::MalformedJson, detail)),
        }
    }

    /// Takes the query.
    fn query(&mut self) -> Object {
        query_object(&self.query.take().unwrap_or_default())
    }

    /// Refuses the parameters that no argument of the handler took.
    fn refuse_query(&mut self) -> Result<()> {
        let faults = self.query().into_faults();
        if faults.is_empty() { Ok(()) } else { Err(Problem::faults(Code::InvalidParameter, faults)) }
    }

    /// Reads an id in the path. What is not a UUID names nothing: 404.
    fn id(&self, name: &str) -> Result<Uuid> {
        let found = self.path.iter().find(|(found, _)| found == name);
        found.and_then(|(_, text)| uuid(text)).ok_or_else(|| Problem::new(Code::NotFound))
    }
}

/// The door that the dispatcher opened for this request.
#[derive(Clone)]
pub(crate) enum Door {
    Shut,
    Lobby(Lobby),
    Account(Account),
    Visitor(Visitor),
    Tenant(TenantScope),
}

/// Which door a handler asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DoorKind {
    /// [`Lobby`].
    Lobby,
    /// [`Account`].
    Account,
    /// [`Visitor`].
    Visitor,
    /// [`TenantScope`].
    Tenant,
}

/// What a handler can take.
pub(crate) trait Extract: Sized + Send {
    /// The door that it is, if it is one.
    const DOOR: Option<DoorKind> = None;

    fn extract(incoming: &mut Incoming) -> Result<Self>;

    #[cfg(feature = "openapi")]
    fn describe(_: &mut crate::openapi::Operation<'_>) {}
}

/// What a handler can return.
pub(crate) trait Reply: Send {
    fn reply(self) -> Result<Answer>;

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>);
}

/// An answer on its way.
pub(crate) type Answering = BoxFuture<'static, Result<Answer>>;

/// A function that answers a route: what it takes is extracted, in order, from the request.
pub(crate) trait Handler<Arguments>: Copy + Send + Sync + 'static {
    const DOOR: Option<DoorKind>;

    fn call(self, incoming: &mut Incoming) -> Result<Answering>;

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>);
}

macro_rules! handler {
    ($($argument:ident),*) => {
        impl<F, Fut, R, $($argument),*> Handler<($($argument,)*)> for F
        where
            F: Fn($($argument),*) -> Fut + Copy + Send + Sync + 'static,
            Fut: Future<Output = Result<R>> + Send + 'static,
            R: Reply,
            $($argument: Extract,)*
        {
            const DOOR: Option<DoorKind> = first_door(&[$($argument::DOOR),*]);

            #[allow(non_snake_case, unused_mut, unused_variables, clippy::allow_attributes, reason = "the macro names variables after types")]
            fn call(self, incoming: &mut Incoming) -> Result<Answering> {
                $(let $argument = $argument::extract(incoming)?;)*
                incoming.refuse_query()?;
                Ok(Box::pin(self($($argument),*).map(|reply| reply?.reply())))
            }

            #[cfg(feature = "openapi")]
            fn describe(operation: &mut crate::openapi::Operation<'_>) {
                $($argument::describe(operation);)*
                R::describe(operation);
            }
        }
    };
}

handler!();
handler!(A);
handler!(A, B);
handler!(A, B, C);
handler!(A, B, C, D);
handler!(A, B, C, D, E);

const fn first_door(doors: &[Option<DoorKind>]) -> Option<DoorKind> {
    let mut index = 0;
    while index < doors.len() {
        if doors[index].is_some() {
            return doors[index];
        }
        index += 1;
    }
    None
}

/// A handler with its arguments' types forgotten, as the route table holds it.
pub(crate) trait ErasedEndpoint: Sync {
    /// Takes the handler's arguments out of the request and begins to answer.
    fn call(&self, incoming: &mut Incoming) -> Result<Answering>;

    #[cfg(feature = "openapi")]
    fn describe(&self, operation: &mut crate::openapi::Operation<'_>);
}

/// A handler with its arguments' types.
pub(crate) struct Endpoint<H, Arguments> {
    handler: H,
    arguments: PhantomData<fn(Arguments)>,
}

impl<H: Handler<Arguments>, Arguments> Endpoint<H, Arguments> {
    /// Puts a handler behind an access rule. It does not compile if the handler asks for another door than the
    /// rule opens.
    #[expect(clippy::panic, reason = "runs at compile time only, over the route table")]
    pub(crate) const fn new(handler: H, access: Access) -> Self {
        match (H::DOOR, access) {
            (None | Some(DoorKind::Lobby), Access::Public)
            | (Some(DoorKind::Account), Access::SignedIn)
            | (Some(DoorKind::Visitor), Access::AnyoneInTenant)
            | (Some(DoorKind::Tenant), Access::Member(_) | Access::InPerson(_)) => {}
            _ => panic!("the handler asks for another door than its route's access rule opens"),
        }
        Self { handler, arguments: PhantomData }
    }
}

impl<H: Handler<Arguments>, Arguments: 'static> ErasedEndpoint for Endpoint<H, Arguments> {
    fn call(&self, incoming: &mut Incoming) -> Result<Answering> {
        self.handler.call(incoming)
    }

    #[cfg(feature = "openapi")]
    fn describe(&self, operation: &mut crate::openapi::Operation<'_>) {
        H::describe(operation);
    }
}

macro_rules! door {
    ($type:ident, $variant:ident) => {
        impl Extract for $type {
            const DOOR: Option<DoorKind> = Some(DoorKind::$variant);

            fn extract(incoming: &mut Incoming) -> Result<Self> {
                match std::mem::replace(&mut incoming.door, Door::Shut) {
                    Door::$variant(door) => Ok(door),
                    _ => Err(Problem::internal("the dispatcher opened another door")),
                }
            }
        }
    };
}

door!(Lobby, Lobby);
door!(Account, Account);
door!(Visitor, Visitor);
door!(TenantScope, Tenant);

/// The tenant that the headers name, for a route of which that is not a matter of access.
impl Extract for NamedTenant {
    fn extract(incoming: &mut Incoming) -> Result<Self> {
        Ok(std::mem::take(&mut incoming.named))
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.tenant_headers();
    }
}

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: Input> Extract for Body<T> {
    fn extract(incoming: &mut Incoming) -> Result<Self> {
        T::decode(incoming.body()?)
            .map(Self)
            .map_err(|faults| Problem::faults(Code::ValidationFailed, faults))
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.body::<T>();
    }
}

/// The query parameters.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: Input> Extract for Query<T> {
    fn extract(incoming: &mut Incoming) -> Result<Self> {
        T::decode(incoming.query())
            .map(Self)
            .map_err(|faults| Problem::faults(Code::InvalidParameter, faults))
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.query::<T>();
    }
}

/// An id in the path, by its type.
macro_rules! path_id {
    ($type:ident, $name:literal) => {
        impl Extract for $type {
            fn extract(incoming: &mut Incoming) -> Result<Self> {
                incoming.id($name).map(Self)
            }
        }
    };
}

path_id!(ProjectId, "project_id");
path_id!(TaskId, "task_id");
path_id!(CommentId, "comment_id");
path_id!(UserId, "user_id");
path_id!(InvitationId, "invitation_id");
path_id!(NotificationId, "notification_id");
path_id!(DeliveryId, "delivery_id");
path_id!(SessionId, "session_id");
path_id!(ApiKeyId, "api_key_id");
path_id!(IdentityId, "identity_id");

/// 200 with a JSON body.
pub(crate) struct Json<T>(pub(crate) T);

/// 200 with a page of a list, and a link to the next one.
pub(crate) struct List<T>(pub(crate) T);

/// 201 with a JSON body and the place where it can be read again.
pub(crate) struct Created<T> {
    pub(crate) location: String,
    pub(crate) body: T,
}

/// 204.
pub(crate) struct NoContent;

/// 200 with a JSON document that was made when this was compiled.
pub(crate) struct Document(pub(crate) &'static str);

/// What a handler's reply comes to: JSON, unless it is empty, and headers that say more about it.
pub(crate) struct Answer {
    status: StatusCode,
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Where the next page starts, of a list that has one.
    next: Option<String>,
}

impl Answer {
    /// Adds, of a page that has a next one, how that is asked for (RFC 8288), given what was asked.
    pub(crate) fn linked(mut self, asked: &Uri) -> Self {
        let link = self.next.take().and_then(|cursor| next_link(asked, &cursor));
        self.headers.extend(link.map(|link| (header::LINK, link)));
        self
    }

    /// The response to send.
    pub(crate) fn into_response(self) -> Response<Bytes> {
        let json = !self.body.is_empty();
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        if json {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        response.headers_mut().extend(self.headers);
        response
    }
}

#[inline(never)]
fn to_json(value: &impl Serialize) -> Result<Bytes> {
    serde_json::to_vec(value).map(Bytes::from).map_err(|error| Problem::internal(error.to_string()))
}

/// The types of response bodies: they serialise, and they have a schema.
#[cfg(feature = "openapi")]
pub(crate) trait Output: Serialize + schemars::JsonSchema + Send {}
#[cfg(feature = "openapi")]
impl<T: Serialize + schemars::JsonSchema + Send> Output for T {}
/// The types of response bodies.
#[cfg(not(feature = "openapi"))]
pub(crate) trait Output: Serialize + Send {}
#[cfg(not(feature = "openapi"))]
impl<T: Serialize + Send> Output for T {}

impl<T: Output> Reply for Json<T> {
    fn reply(self) -> Result<Answer> {
        Ok(Answer { status: StatusCode::OK, body: to_json(&self.0)?, headers: Vec::new(), next: None })
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.response::<T>(StatusCode::OK);
    }
}

impl<T: Output + Listing> Reply for List<T> {
    fn reply(self) -> Result<Answer> {
        let next = self.0.next_cursor().map(str::to_owned);
        Ok(Answer { next, ..Json(self.0).reply()? })
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.list_response::<T>();
    }
}

impl<T: Output> Reply for Created<T> {
    fn reply(self) -> Result<Answer> {
        let location = HeaderValue::try_from(self.location).ok();
        let headers = location.map(|location| (header::LOCATION, location)).into_iter().collect();
        Ok(Answer { status: StatusCode::CREATED, body: to_json(&self.body)?, headers, next: None })
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.response::<T>(StatusCode::CREATED);
    }
}

impl Reply for NoContent {
    fn reply(self) -> Result<Answer> {
        Ok(Answer { status: StatusCode::NO_CONTENT, body: Bytes::new(), headers: Vec::new(), next: None })
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.empty_response(StatusCode::NO_CONTENT);
    }
}

impl Reply for Document {
    fn reply(self) -> Result<Answer> {
        let headers = vec![(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"))];
        Ok(Answer {
            status: StatusCode::OK,
            body: Bytes::from_static(self.0.as_bytes()),
            headers,
            next: None,
        })
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.response::<serde_json::Map<String, Value>>(StatusCode::OK);
    }
}
