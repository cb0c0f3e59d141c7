//! Pages for people: no script, no frame, nothing from elsewhere, and every text inert.
//!
//! ```
//! use mcp_auth_provider::Pages;
//!
//! let pages = Pages::new().brand("Notes").accent("#0b6e4f").logo("/static/logo.svg");
//! assert!(pages.check().is_ok());
//! assert!(Pages::new().accent("red; } body { display: none").check().is_err());
//! assert!(Pages::new().template("consent.html", "{% for %}").check().is_err());
//! ```

mod builder;
mod inert;
mod page;
mod render;

use std::sync::{Arc, OnceLock};

use mcp_core::ConfigError;

pub(crate) use inert::inert;
pub use page::{Field, Page};
use render::Compiled;
pub(crate) use render::private;

/// How the pages of a server look, and which templates they are made of.
///
/// The built-in templates are `base.html`, `consent.html`, `form.html` and `message.html`; any of them can be replaced. A
/// replacement must keep the names of the form's fields, and that of `consent.html` must show `device_code` where there is one.
/// They are written in the language of Jinja; everything shown is escaped, whatever a template is called.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    look: Look,
    compiled: OnceLock<Arc<Compiled>>,
}

#[derive(Clone, Debug, Default)]
struct Look {
    brand: Option<String>,
    accent: Option<String>,
    logo: Option<String>,
    css: String,
    templates: Vec<(String, String)>,
}

impl Pages {
    /// The built-in pages.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The name of the service, shown on every page.
    #[must_use]
    pub fn brand(self, name: impl Into<String>) -> Self {
        self.change(|look| look.brand = Some(name.into()))
    }

    /// The colour of buttons: `#` and six hexadecimal digits. The text on it is black or white, whichever is read better.
    #[must_use]
    pub fn accent(self, colour: impl Into<String>) -> Self {
        self.change(|look| look.accent = Some(colour.into()))
    }

    /// A picture in place of the name: the path of one on this host, or a `data:image/…` URL. Never one from elsewhere: its
    /// host would learn of every sign-in (attack CO09).
    #[must_use]
    pub fn logo(self, source: impl Into<String>) -> Self {
        self.change(|look| look.logo = Some(source.into()))
    }

    /// Styles after the built-in ones.
    #[must_use]
    pub fn css(self, css: impl AsRef<str>) -> Self {
        self.change(|look| look.css.push_str(css.as_ref()))
    }

    /// Replaces a template, or adds one for [`Page::template`].
    #[must_use]
    pub fn template(self, name: impl Into<String>, source: impl Into<String>) -> Self {
        self.change(|look| look.templates.push((name.into(), source.into())))
    }

    /// Whether all of it can be used. A server asks at its start.
    ///
    /// # Errors
    /// What cannot, and why.
    pub fn check(&self) -> Result<(), ConfigError> {
        Compiled::new(&self.look).map(drop)
    }

    fn change(mut self, with: impl FnOnce(&mut Look)) -> Self {
        with(&mut self.look);
        self.compiled = OnceLock::new();
        self
    }
}
