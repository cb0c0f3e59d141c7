//! Pages for people.

/// A page on its way to a browser.
#[derive(Debug)]
pub struct Page {}

/// All templates of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {}
