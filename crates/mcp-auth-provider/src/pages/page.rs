//! A page on its way to a browser.

use std::fmt;

use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::sign_in::SignInState;

/// A page: a template and what it shows. Everything shown is escaped.
///
/// ```
/// use mcp_auth_provider::{Field, Page};
///
/// # fn example(state: &mcp_auth_provider::SignInState) {
/// let page = Page::form("Sign in", "/sign-in", state)
///     .field(Field::password("password", "Password").autocomplete("current-password"))
///     .submit("Sign in")
///     .status(http::StatusCode::OK);
/// assert_eq!(format!("{page:?}"), "Page(form.html, 200)");
/// # }
/// ```
#[must_use = "a page is seen by nobody before it is returned"]
pub struct Page {
    pub(super) template: String,
    pub(super) status: StatusCode,
    pub(super) context: Map<String, Value>,
    /// Seconds until it makes sense to try again.
    pub(super) retry_after: Option<u64>,
}

impl Page {
    /// A page with a form that is posted to `path`, below the public URL. It carries the transaction in its field `tx`.
    pub fn form(title: impl Into<String>, path: impl Into<String>, state: &SignInState) -> Self {
        Self::bare_form(title, path).hidden("tx", &state.transaction)
    }

    /// A form that belongs to no transaction.
    pub(crate) fn bare_form(title: impl Into<String>, path: impl Into<String>) -> Self {
        Self::new("form.html")
            .with("title", title.into())
            .with("path", path.into())
            .with("submit", "Continue")
            .with("texts", json!([]))
            .with("hidden", json!([]))
            .with("fields", json!([]))
    }

    /// A page that says something.
    pub fn message(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new("message.html").with("title", title.into()).with("texts", json!([text.into()]))
    }

    /// A page of a template that was added by [`Pages::template`](super::Pages::template), with what it shows. Besides, every
    /// template sees `brand`, `style` and `base` (the path of the public URL, to be put before paths).
    pub fn template(name: impl Into<String>, context: &impl Serialize) -> Self {
        let context = match serde_json::to_value(context) {
            Ok(Value::Object(context)) => context,
            _ => Map::new(),
        };
        Self { context, ..Self::new(name) }
    }

    /// One more paragraph before the form.
    pub fn text(self, text: impl Into<String>) -> Self {
        self.push("texts", Value::String(text.into()))
    }

    /// One more field of the form.
    pub fn field(self, field: Field) -> Self {
        let value = serde_json::to_value(field).unwrap_or_default();
        self.push("fields", value)
    }

    /// A value that comes back with the form as it is. The browser's user can change it.
    pub fn hidden(self, name: &str, value: &str) -> Self {
        self.push("hidden", json!({ "name": name, "value": value }))
    }

    /// What the button of the form says.
    pub fn submit(self, label: impl Into<String>) -> Self {
        self.with("submit", label.into())
    }

    /// What went wrong, said before everything else.
    pub fn error(self, text: impl Into<String>) -> Self {
        self.with("error", text.into())
    }

    /// The status it is answered with: 200 unless said.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// After how many seconds it makes sense to try again.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// A link that looks like a button.
    pub(crate) fn link(self, href: &str, label: impl Into<String>) -> Self {
        self.with("link", json!({ "href": href, "label": label.into() }))
    }

    pub(crate) fn new(template: impl Into<String>) -> Self {
        Self { template: template.into(), status: StatusCode::OK, context: Map::new(), retry_after: None }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.context.insert(name.to_owned(), value.into());
        self
    }

    fn push(mut self, list: &str, value: Value) -> Self {
        if let Some(Value::Array(values)) = self.context.get_mut(list) {
            values.push(value);
        }
        self
    }
}

// What it shows may be personal.
impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({}, {})", self.template, self.status.as_u16())
    }
}

/// A field of a form, with its label.
#[derive(Clone, Debug, Serialize)]
pub struct Field {
    kind: &'static str,
    name: String,
    label: String,
    value: String,
    autocomplete: Option<String>,
    required: bool,
    focus: bool,
}

impl Field {
    /// A line of text.
    pub fn text(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new("text", name, label)
    }

    /// A line that is not shown while it is typed.
    pub fn password(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self::new("password", name, label)
    }

    /// A box that is ticked or not; ticked, it comes as `on`.
    pub fn checkbox(name: impl Into<String>, label: impl Into<String>) -> Self {
        Self { required: false, ..Self::new("checkbox", name, label) }
    }

    /// What stands in it already. Any text ticks a checkbox.
    #[must_use]
    pub fn value(mut self, value: impl Into<String>) -> Self {
        self.value = value.into();
        self
    }

    /// What the browser and its password manager may fill in: `username`, `current-password`, `one-time-code`, …
    #[must_use]
    pub fn autocomplete(mut self, purpose: impl Into<String>) -> Self {
        self.autocomplete = Some(purpose.into());
        self
    }

    /// May stay empty.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    /// Where typing begins.
    #[must_use]
    pub fn focus(mut self) -> Self {
        self.focus = true;
        self
    }

    fn new(kind: &'static str, name: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            kind,
            name: name.into(),
            label: label.into(),
            value: String::new(),
            autocomplete: None,
            required: true,
            focus: false,
        }
    }
}
