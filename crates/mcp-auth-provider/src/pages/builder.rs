//! How a provider is told about its pages.

use crate::OAuthProvider;

use super::Pages;

impl OAuthProvider {
    /// How the pages look that people see.
    #[must_use]
    pub fn pages(self, pages: Pages) -> Self {
        self.with_pages(|own| *own = pages)
    }
}
