//! The files of `site/`, which the port [`Assets`](crate::ports::Assets) provides: the headers of each, and what it may
//! do in a browser.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

#[cfg(feature = "openapi")]
use crate::api::facts::Fact;
use crate::{
    access::services::Services,
    api::{
        endpoint::{Extract, Incoming},
        reply::Reply,
    },
    http::{
        answer::{Answer, Streamed},
        problem::{Code, Problem, Result},
    },
};

/// A file of `site/`.
#[derive(Debug)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    kind: Kind,
    /// The version of a file that the adapter sends by itself.
    version: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Page,
    Style,
    Script,
    Image,
    Data,
}

const fn file(name: &'static str, kind: Kind) -> File {
    File { name, kind, version: None }
}

/// How long a client may keep an answer that is the same for everybody.
pub(crate) const KEPT: &str = "public, max-age=300";

/// The page at `/`, with a place for the version.
pub(crate) static HOME: File = file("home.html", Kind::Page);
/// The page at `/start`.
pub(crate) static START: File = file("start.html", Kind::Page);
/// The page at `/docs`, with places for the version and for a nonce.
pub(crate) static DOCS: File = file("docs.html", Kind::Page);
/// The page of all problems, with a place for them.
pub(crate) static PROBLEMS: File = file("problems.html", Kind::Page);
/// The page of one problem, with places for its texts.
pub(crate) static PROBLEM: File = file("problem.html", Kind::Page);
/// The OpenAPI document, without blanks.
pub(crate) static DESCRIPTION: File = file("openapi.json", Kind::Data);

/// The files that pages load.
static LOADED: [File; 15] = [
    file("style.css", Kind::Style),
    file("docs.css", Kind::Style),
    file("reference.css", Kind::Style),
    file("theme.js", Kind::Script),
    file("start.js", Kind::Script),
    file("reference.js", Kind::Script),
    file("policy.js", Kind::Script),
    file("dom.js", Kind::Script),
    file("api.js", Kind::Script),
    file("session.js", Kind::Script),
    file("account.js", Kind::Script),
    file("answer.js", Kind::Script),
    file("tour.js", Kind::Script),
    file("icon.svg", Kind::Image),
    file("workflow.svg", Kind::Image),
];

/// The script of the reference: <https://github.com/scalar/scalar>, of the version of the package
/// `scalar_api_reference` from which the adapters have it. It is not in the checkout.
pub static SCALAR: File = File { name: "scalar.js", kind: Kind::Script, version: Some("0.2.21") };

/// All files that are in the checkout.
pub fn files() -> impl Iterator<Item = &'static File> {
    [&HOME, &START, &DOCS, &PROBLEMS, &PROBLEM, &DESCRIPTION].into_iter().chain(&LOADED)
}

/// The policy for pages in a browser.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

impl Kind {
    const fn media_type(self) -> &'static str {
        match self {
            Self::Page => "text/html; charset=utf-8",
            Self::Style => "text/css; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
            Self::Image => "image/svg+xml",
            Self::Data => "application/json",
        }
    }

    /// The policy for this kind in a browser, if it may do more than data.
    const fn policy(self) -> Option<&'static str> {
        match self {
            Self::Page => Some(PAGE_POLICY),
            // A drawing carries its own style, and runs nothing.
            Self::Image => Some("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
            Self::Style | Self::Script | Self::Data => None,
        }
    }

    fn headers(self) -> Vec<(HeaderName, HeaderValue)> {
        let say = |name: HeaderName, value| (name, HeaderValue::from_static(value));
        let mut headers =
            vec![say(header::CONTENT_TYPE, self.media_type()), say(header::CACHE_CONTROL, KEPT)];
        headers.extend(self.policy().map(|policy| say(header::CONTENT_SECURITY_POLICY, policy)));
        headers
    }

    fn answer(self, body: Bytes) -> Answer {
        Answer::of_bytes(body, self.headers())
    }
}

impl File {
    /// The version, if the adapter sends the file by itself.
    pub fn version(&self) -> Option<&'static str> {
        self.version
    }

    /// Its bytes.
    pub(crate) async fn read(&self, services: &Services) -> Result<Bytes> {
        let read = services.ports.assets.read(self.name).await;
        read.map_err(|failure| Problem::internal(format!("site/{}: {}", self.name, failure.0)))
    }

    /// A page with its places filled: `{{name}}` by the HTML of that name.
    pub(crate) async fn filled(&self, services: &Services, places: &[(&str, String)]) -> Result<Page> {
        let template = self.read(services).await?;
        let mut page = String::from_utf8_lossy(&template).into_owned();
        for (name, html) in places {
            page = page.replace(&format!("{{{{{name}}}}}"), html);
        }
        Ok(Page(page.into()))
    }
}

/// Plain text as HTML; text between backticks is code.
pub(crate) fn html(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let parts = escaped.split('`').enumerate();
    parts
        .map(|(at, part)| if at % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}

/// A page.
pub(crate) struct Page(pub(crate) Bytes);

impl Reply for Page {
    fn reply(self) -> Result<Answer> {
        Ok(Kind::Page.answer(self.0))
    }

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        vec![text("text/html", "An HTML page.", "<!doctype html>")]
    }
}

/// The page of the reference. Its script creates style sheets, for which the policy names a nonce of this one answer;
/// that script also sets styles of single elements, which can do no more than look wrong.
pub(crate) struct Reference {
    page: Page,
    nonce: String,
}

impl Reference {
    /// The page for one answer.
    pub(crate) async fn read(services: &Services, version: &str) -> Result<Self> {
        let mut random = [0; 16];
        services.ports.entropy.fill(&mut random)?;
        let nonce = URL_SAFE_NO_PAD.encode(random);
        let page =
            DOCS.filled(services, &[("version", version.to_owned()), ("nonce", nonce.clone())]).await?;
        Ok(Self { page, nonce })
    }
}

impl Reply for Reference {
    fn reply(self) -> Result<Answer> {
        let styles = format!("style-src 'self' 'nonce-{}'; style-src-attr 'unsafe-inline'; ", self.nonce);
        let policy = PAGE_POLICY.replace("style-src 'self'; ", &styles);
        let page = Answer::of_bytes(self.page.0, Vec::new());
        Ok(page
            .header(header::CONTENT_TYPE, Kind::Page.media_type())
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::CONTENT_SECURITY_POLICY, &policy))
    }

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        Page::facts()
    }
}

/// The OpenAPI document.
pub(crate) struct Description(pub(crate) Bytes);

impl Reply for Description {
    fn reply(self) -> Result<Answer> {
        Ok(Kind::Data.answer(self.0))
    }

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        let schema = |generator: &mut schemars::SchemaGenerator| {
            generator.subschema_for::<serde_json::Map<String, serde_json::Value>>()
        };
        vec![Fact::Answer { status: http::StatusCode::OK, schema }]
    }
}

/// A file that pages load.
pub(crate) enum Loaded {
    /// Its bytes.
    Read(&'static File, Bytes),
    /// A file that the adapter sends, and its version.
    Sent(&'static File, &'static str),
}

impl Loaded {
    /// The file, read if its bytes pass through here.
    pub(crate) async fn of(file: &'static File, services: &Services) -> Result<Self> {
        match file.version {
            Some(version) => Ok(Self::Sent(file, version)),
            None => Ok(Self::Read(file, file.read(services).await?)),
        }
    }
}

impl Reply for Loaded {
    fn reply(self) -> Result<Answer> {
        Ok(match self {
            Self::Read(file, bytes) => file.kind.answer(bytes),
            Self::Sent(file, version) => Answer::of_file(Streamed { name: file.name }, file.kind.headers())
                .header(header::ETAG, &format!("\"{}-{version}\"", file.name)),
        })
    }

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        [("text/css", "body { margin: 0 }"), ("text/javascript", "export {};"), ("image/svg+xml", "<svg/>")]
            .map(|(media_type, example)| text(media_type, "The content of the file.", example))
            .into()
    }
}

/// The file that the path names.
impl Extract for &'static File {
    fn extract(incoming: &mut Incoming) -> Result<Self> {
        let name = incoming.placeholder("file").unwrap_or_default();
        LOADED
            .iter()
            .chain([&SCALAR])
            .find(|file| file.name == name)
            .ok_or_else(|| Problem::new(Code::NotFound))
    }

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        let texts = LOADED.iter().chain([&SCALAR]).map(|file| file.name).collect();
        vec![Fact::NamedInPath { name: "file", description: "The name of the file.", texts }]
    }
}

/// The code that the path names.
impl Extract for Code {
    fn extract(incoming: &mut Incoming) -> Result<Self> {
        let code = incoming.placeholder("code").and_then(Self::parse);
        code.ok_or_else(|| Problem::with(Self::NotFound, "There is no problem with this code."))
    }

    #[cfg(feature = "openapi")]
    fn facts() -> Vec<Fact> {
        let texts = Self::ALL.iter().map(|code| code.as_str()).collect();
        vec![Fact::NamedInPath { name: "code", description: "The `code` of a problem.", texts }]
    }
}

#[cfg(feature = "openapi")]
fn text(media_type: &'static str, description: &'static str, example: &'static str) -> Fact {
    Fact::Text { status: http::StatusCode::OK, media_type, description, example }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_html_that_is_no_more_than_text() {
        assert_eq!(
            html("Send `<a>` & \"b\", then `c`."),
            "Send <code>&lt;a&gt;</code> &amp; &quot;b&quot;, then <code>c</code>."
        );
    }

    #[test]
    fn only_a_drawing_has_its_style_in_it() {
        for file in files() {
            let policy = file.kind.policy().unwrap_or("default-src 'none'");
            assert!(policy.starts_with("default-src 'none'"), "{file:?}");
            assert_eq!(policy.contains("unsafe"), file.kind == Kind::Image, "{file:?}");
        }
    }
}
