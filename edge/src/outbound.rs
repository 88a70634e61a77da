//! The ways out of a Worker: requests by `fetch`, emails into the log.

use bailiwick_core::ports::{Email, HttpClient, HttpFailure, HttpRequest, HttpResponse, Mailer, SendFailure};
use serde_json::json;
use worker::{
    console_log,
    js_sys::{Reflect, Uint8Array, global},
    send::SendFuture,
    wasm_bindgen::{JsCast, JsValue},
    wasm_bindgen_futures::JsFuture,
    worker_sys::web_sys::{
        AbortSignal, Headers, ReadableStream, ReadableStreamDefaultReader, RequestInit, RequestRedirect,
        Response, WorkerGlobalScope,
    },
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
            let signal = AbortSignal::timeout_with_u32(millis);
            let options = options(&request).map_err(|_| HttpFailure("it cannot be asked".to_owned()))?;
            options.set_signal(Some(&signal));
            let platform: WorkerGlobalScope = global().unchecked_into();
            let promise = platform.fetch_with_str_and_init(&request.url, &options);
            match JsFuture::from(promise).await {
                Ok(response) => read(&response.unchecked_into(), request.read).await,
                Err(_) if signal.aborted() => Err(HttpFailure("it did not answer in time".to_owned())),
                Err(_) => Err(HttpFailure("it cannot be reached".to_owned())),
            }
        })
        .await
    }
}

fn options(request: &HttpRequest) -> Result<RequestInit, JsValue> {
    let headers = Headers::new()?;
    for (name, value) in &request.headers {
        headers.set(name, value)?;
    }
    let options = RequestInit::new();
    options.set_method(request.method.as_str());
    options.set_headers(&headers);
    options.set_redirect(RequestRedirect::Manual);
    if !request.body.is_empty() {
        options.set_body(&Uint8Array::from(request.body.as_ref()));
    }
    Ok(options)
}

/// Takes what is asked for, and lets the rest go: a body that nobody reads keeps one of the few connections that an
/// invocation may have.
async fn read(response: &Response, at_most: usize) -> Result<HttpResponse, HttpFailure> {
    let retry_after = response.headers().get("retry-after").ok().flatten();
    let mut bytes = Some(Vec::new());
    if let Some(body) = response.body() {
        if at_most > 0 {
            bytes = whole(&body, at_most).await;
        }
        // That it was let go already is no failure.
        let _ = JsFuture::from(body.cancel()).await;
    }
    let failure = || HttpFailure("its answer broke off or is too long".to_owned());
    Ok(HttpResponse {
        status: response.status(),
        retry_after: retry_after.and_then(|seconds| seconds.trim().parse().ok()),
        body: bytes.ok_or_else(failure)?.into(),
    })
}

/// The body, if it is no longer than this.
pub(crate) async fn whole(body: &ReadableStream, at_most: usize) -> Option<Vec<u8>> {
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let mut bytes = Vec::new();
    loop {
        let chunk = JsFuture::from(reader.read()).await.ok()?;
        // At the end there is none.
        let Ok(chunk) = Reflect::get(&chunk, &"value".into()).ok()?.dyn_into::<Uint8Array>() else {
            reader.release_lock();
            return Some(bytes);
        };
        bytes.extend(chunk.to_vec());
        if bytes.len() > at_most {
            reader.release_lock();
            return None;
        }
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
