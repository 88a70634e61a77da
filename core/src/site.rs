//! The files of `site/`, which the port [`Assets`](crate::ports::Assets) gives: what each is sent as, and what browsers are
//! told to let it do.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

use crate::{
    dispatch::App,
    endpoint::{Extract, Incoming},
    problem::{Code, Problem, Result},
    reply::{Answer, Reply},
};

/// A file of `site/`.
#[derive(Debug)]
pub struct File {
    /// Its name.
    pub name: &'static str,
    kind: Kind,
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
    File { name, kind }
}

/// How long what is the same for everybody may be kept.
pub(crate) const KEPT: &str = "public, max-age=300";

/// The page at `/`, with a place for the version.
pub(crate) static HOME: File = file("home.html", Kind::Page);
/// The page at `/docs`.
pub(crate) static DOCS: File = file("docs.html", Kind::Page);
/// The page of all problems, with a place for them.
pub(crate) static PROBLEMS: File = file("problems.html", Kind::Page);
/// The page of one problem, with places for what there is to say.
pub(crate) static PROBLEM: File = file("problem.html", Kind::Page);
/// The OpenAPI document, without blanks.
pub(crate) static DESCRIPTION: File = file("openapi.json", Kind::Data);

/// What pages load.
static LOADED: [File; 12] = [
    file("style.css", Kind::Style),
    file("docs.css", Kind::Style),
    file("theme.js", Kind::Script),
    file("docs.js", Kind::Script),
    file("dom.js", Kind::Script),
    file("api.js", Kind::Script),
    file("session.js", Kind::Script),
    file("schema.js", Kind::Script),
    file("operation.js", Kind::Script),
    file("tour.js", Kind::Script),
    file("icon.svg", Kind::Image),
    file("workflow.svg", Kind::Image),
];

/// All of them.
pub fn files() -> impl Iterator<Item = &'static File> {
    [&HOME, &DOCS, &PROBLEMS, &PROBLEM, &DESCRIPTION].into_iter().chain(&LOADED)
}

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

    /// What a browser may do with it beyond what it may do with data.
    const fn policy(self) -> Option<&'static str> {
        match self {
            Self::Page => Some(
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            ),
            // A drawing carries its own style, and runs nothing.
            Self::Image => Some("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
            Self::Style | Self::Script | Self::Data => None,
        }
    }

    fn answer(self, body: Bytes) -> Answer {
        let say = |name: HeaderName, value| (name, HeaderValue::from_static(value));
        let mut headers =
            vec![say(header::CONTENT_TYPE, self.media_type()), say(header::CACHE_CONTROL, KEPT)];
        headers.extend(self.policy().map(|policy| say(header::CONTENT_SECURITY_POLICY, policy)));
        Answer::of_bytes(body, headers)
    }
}

impl File {
    /// Its bytes.
    pub(crate) async fn read(&self, app: &App) -> Result<Bytes> {
        let read = app.ports.assets.read(self.name).await;
        read.map_err(|failure| Problem::internal(format!("site/{}: {}", self.name, failure.0)))
    }

    /// A page with its places filled: `{{name}}` by the HTML of that name.
    pub(crate) async fn filled(&self, app: &App, places: &[(&str, String)]) -> Result<Page> {
        let template = self.read(app).await?;
        let mut page = String::from_utf8_lossy(&template).into_owned();
        for (name, html) in places {
            page = page.replace(&format!("{{{{{name}}}}}"), html);
        }
        Ok(Page(page.into()))
    }
}

/// Plain text as HTML; what stands between backticks is code.
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
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.text_response(http::StatusCode::OK, "text/html", "An HTML page.", "<!doctype html>");
    }
}

/// The OpenAPI document.
pub(crate) struct Description(pub(crate) Bytes);

impl Reply for Description {
    fn reply(self) -> Result<Answer> {
        Ok(Kind::Data.answer(self.0))
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        operation.response::<serde_json::Map<String, serde_json::Value>>(http::StatusCode::OK);
    }
}

/// A file that pages load, and its bytes.
pub(crate) struct Loaded(pub(crate) &'static File, pub(crate) Bytes);

impl Reply for Loaded {
    fn reply(self) -> Result<Answer> {
        Ok(self.0.kind.answer(self.1))
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        for (media_type, example) in [
            ("text/css", "body { margin: 0 }"),
            ("text/javascript", "export {};"),
            ("image/svg+xml", "<svg/>"),
        ] {
            operation.text_response(http::StatusCode::OK, media_type, "The content of the file.", example);
        }
    }
}

/// The file that the path names.
impl Extract for &'static File {
    fn extract(incoming: &mut Incoming) -> Result<Self> {
        let name = incoming.placeholder("file").unwrap_or_default();
        LOADED.iter().find(|file| file.name == name).ok_or_else(|| Problem::new(Code::NotFound))
    }

    #[cfg(feature = "openapi")]
    fn describe(operation: &mut crate::openapi::Operation<'_>) {
        let names: Vec<_> = LOADED.iter().map(|file| file.name).collect();
        operation.named_in_path("file", "The name of the file.", &names);
    }
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
