//! The ways out of a Worker: requests by `fetch`, emails into the log.

use bailiwick_core::ports::{Email, HttpClient, HttpFailure, HttpRequest, HttpResponse, Mailer, SendFailure};
use serde_json::json;
use worker::{
    AbortSignal, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Response, ResponseBody,
    console_log, js_sys::Uint8Array, send::SendFuture, wasm_bindgen_futures::JsFuture, worker_sys::web_sys,
};

/// The platform's `fetch`.
///
/// Nothing here tells the address that a name leads to, so [`HttpRequest::trusted`] makes no difference: in front of a
/// request there is only the guard by name of [`bailiwick_core::outbound`]. On Cloudflare's network that suffices.
/// `fetch` leaves from there for the public Internet and reaches no private network, the operator's included; the
/// compatibility flag `global_fetch_strictly_public` closes the one way round, to origins behind the Worker's own zone.
/// `wrangler dev` and the tests run on a machine that has private addresses, and have no such protection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FetchClient;

impl HttpClient for FetchClient {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpFailure> {
        // What the platform says of an error may hold the URL, which may be a secret.
        SendFuture::new(async move {
            let millis = u32::try_from(request.timeout.as_millis()).unwrap_or(u32::MAX);
            let signal = AbortSignal::from(web_sys::AbortSignal::timeout_with_u32(millis));
            let converted = convert(&request).map_err(|_| HttpFailure("it cannot be asked".to_owned()))?;
            match Fetch::Request(converted).send_with_signal(&signal).await {
                Ok(response) => Ok(read(response).await),
                Err(_) if signal.aborted() => Err(HttpFailure("it did not answer in time".to_owned())),
                Err(_) => Err(HttpFailure("it cannot be reached".to_owned())),
            }
        })
        .await
    }
}

fn convert(request: &HttpRequest) -> worker::Result<Request> {
    let headers = Headers::new();
    for (name, value) in &request.headers {
        headers.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::from(request.method.to_string()))
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual);
    if !request.body.is_empty() {
        init.with_body(Some(Uint8Array::from(request.body.as_ref()).into()));
    }
    Request::new_with_init(&request.url, &init)
}

/// Takes what is asked for, and lets the rest go: a body that nobody reads keeps one of the few connections that an
/// invocation may have.
async fn read(response: Response) -> HttpResponse {
    let retry_after = response.headers().get("retry-after").ok().flatten();
    if let ResponseBody::Stream(body) = response.body() {
        // That it was let go already is no failure.
        let _ = JsFuture::from(body.cancel()).await;
    }
    HttpResponse {
        status: response.status_code(),
        retry_after: retry_after.and_then(|seconds| seconds.trim().parse().ok()),
    }
}

/// Writes emails into the Worker's log instead of sending them, for development. The tokens in them are there too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Console;

impl Mailer for Console {
    async fn send(&self, email: Email) -> Result<(), SendFailure> {
        console_log!("{}", json!({ "to": email.to, "subject": email.subject, "text": email.text }));
        Ok(())
    }
}
