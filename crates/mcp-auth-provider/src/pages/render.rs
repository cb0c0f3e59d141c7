//! From a page to an answer, with the headers that keep it from being framed, kept or leaked (attacks CO01, CO02, CO09).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64ct::{Base64, Encoding};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue, REFERRER_POLICY,
    RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{Response, StatusCode};
use mcp_core::{Body, ConfigError};
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::{Map, Value, json};

use super::{Look, Page, Pages};

const TEMPLATES: [(&str, &str); 4] = [
    ("base.html", include_str!("templates/base.html")),
    ("consent.html", include_str!("templates/consent.html")),
    ("form.html", include_str!("templates/form.html")),
    ("message.html", include_str!("templates/message.html")),
];
const STYLE: &str = include_str!("templates/style.css");
const ACCENT: &str = "#3450c8";

/// Templates, ready for use.
pub(super) struct Compiled {
    environment: Environment<'static>,
    policy: HeaderValue,
    brand: Value,
    style: String,
}

impl Compiled {
    pub(super) fn new(look: &Look) -> Result<Self, ConfigError> {
        let style = style(look)?;
        let logo = logo(look)?;
        let mut environment = Environment::new();
        // Whatever a template is called.
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        let mut sources: BTreeMap<&str, &str> = BTreeMap::from(TEMPLATES);
        sources.extend(look.templates.iter().map(|(name, source)| (name.as_str(), source.as_str())));
        for (name, source) in &sources {
            environment
                .add_template_owned((*name).to_owned(), (*source).to_owned())
                .map_err(|error| broken(name, &error))?;
        }
        let compiled = Self {
            environment,
            policy: policy(&style)?,
            brand: json!({ "name": look.brand.as_deref().unwrap_or_default(), "logo": logo }),
            style,
        };
        for name in sources.keys() {
            compiled.html(name, Map::new()).map_err(|error| broken(name, &error))?;
        }
        Ok(compiled)
    }

    fn html(&self, template: &str, mut context: Map<String, Value>) -> Result<String, minijinja::Error> {
        context.insert("brand".to_owned(), self.brand.clone());
        context.insert("style".to_owned(), self.style.as_str().into());
        self.environment.get_template(template)?.render(Serde(Value::Object(context)))
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled").finish_non_exhaustive()
    }
}

impl Pages {
    /// The answer that shows a page. `base` is the path of the public URL.
    pub(crate) fn answer(&self, base: &str, mut page: Page) -> Response<Body> {
        page.context.insert("base".to_owned(), base.into());
        if let Some(Value::String(path)) = page.context.get("path") {
            let action = format!("{base}{path}");
            page.context.insert("action".to_owned(), action.into());
        }
        let compiled = self.compiled();
        let (status, html) = match compiled.html(&page.template, page.context) {
            Ok(html) => (page.status, html),
            Err(error) => {
                // Only a replaced template can fail, and what it was shown must not get into the log.
                tracing::error!(template = %page.template, kind = ?error.kind(), "a page cannot be shown");
                (StatusCode::INTERNAL_SERVER_ERROR, "This page cannot be shown.".to_owned())
            }
        };
        let mut response = Response::new(Body::from(html));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, compiled.policy.clone());
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        if let Some(seconds) = page.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        private(headers);
        response
    }

    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| {
            // `check` was asked at the start; without it the built-in look is what is left.
            let compiled = Compiled::new(&self.look).or_else(|_| Compiled::new(&Look::default()));
            #[expect(clippy::expect_used, reason = "the built-in templates compile; a test says so")]
            Arc::new(compiled.expect("the built-in templates compile"))
        })
    }
}

/// What every answer to a browser says, page or not: keep nothing, tell nobody, guess nothing. No opener policy: clients that
/// opened a window for the sign-in would wait behind it for ever.
pub(crate) fn private(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// No `form-action`: browsers hold it against the redirect after a form as well, and that one leads to the client.
fn policy(style: &str) -> Result<HeaderValue, ConfigError> {
    let hash = Base64::encode_string(digest(&SHA256, style.as_bytes()).as_ref());
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'"
    );
    HeaderValue::try_from(policy).map_err(|_| ConfigError::new("the policy of the pages is no header"))
}

fn style(look: &Look) -> Result<String, ConfigError> {
    let accent = look.accent.as_deref().unwrap_or(ACCENT);
    let Some(colour) = rgb(accent) else {
        return Err(ConfigError::new(format!(
            "{accent:?} is no colour for the pages: write it like #0b6e4f"
        )));
    };
    // It stands inside an element that ends with this, whatever the language of styles says.
    if look.css.to_ascii_lowercase().contains("</style") {
        return Err(ConfigError::new("the styles of the pages have a </style> in them: leave it out"));
    }
    let ink = if luminance(colour) > 0.36 { "#000" } else { "#fff" };
    Ok(format!(":root{{--accent:{accent};--accent-ink:{ink}}}\n{STYLE}{}", look.css))
}

fn logo(look: &Look) -> Result<Option<&str>, ConfigError> {
    let Some(logo) = look.logo.as_deref() else { return Ok(None) };
    let own = logo.starts_with('/') && !logo.starts_with("//") && !logo.starts_with("/\\");
    if own || logo.starts_with("data:image/") {
        return Ok(Some(logo));
    }
    Err(ConfigError::new(
        "the logo of the pages must be a path on this host or a data:image/… URL: another host would learn of every \
         sign-in",
    ))
}

fn rgb(colour: &str) -> Option<[u8; 3]> {
    let digits = colour.strip_prefix('#').filter(|digits| digits.len() == 6)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let number = u32::from_str_radix(digits, 16).ok()?;
    let [_, red, green, blue] = number.to_be_bytes();
    Some([red, green, blue])
}

/// Near enough to that of WCAG 2 to choose between black and white.
fn luminance([red, green, blue]: [u8; 3]) -> f32 {
    let linear = |part: u8| (f32::from(part) / 255.0).powf(2.2);
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

fn broken(name: &str, error: &minijinja::Error) -> ConfigError {
    ConfigError::new(format!("the template {name} cannot be used: {error}"))
}
