//! The Rust blocks of the guides and READMEs, compiled and run with the documentation tests.
//!
//! Here, because this crate stands on top of all others and may know them. The files are read for these tests only:
//! the published package has none of them and needs none.

macro_rules! page {
    ($name:ident, $path:literal) => {
        #[doc = include_str!(concat!("../../../", $path))]
        struct $name;
    };
}

page!(Readme, "README.md");
page!(ChoosingAPattern, "docs/choosing-a-pattern.md");
page!(NoAuth, "docs/no-auth.md");
page!(Tokens, "docs/tokens.md");
page!(Provider, "docs/provider.md");
page!(Stores, "docs/stores.md");
page!(Clients, "docs/clients.md");
page!(Testing, "docs/testing.md");
page!(ReverseProxy, "docs/reverse-proxy.md");
page!(Operating, "docs/operating.md");
page!(Troubleshooting, "docs/troubleshooting.md");
page!(Architecture, "docs/architecture.md");
page!(Core, "crates/mcp-core/README.md");
