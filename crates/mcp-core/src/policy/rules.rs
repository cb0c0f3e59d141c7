//! The rules of a policy, as an operator writes them.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::{Identity, Scope, Scopes};

use super::resources::ResourceRules;

/// Whether holding one scope is as good as holding another.
type Implies = Arc<dyn Fn(&Scope, &Scope) -> bool + Send + Sync>;
/// The scopes a call needs by its arguments.
type ByArguments = Arc<dyn Fn(&Value) -> Scopes + Send + Sync>;

/// What a caller may do. Cheap to clone.
#[derive(Clone, Default)]
pub struct Policy(Arc<Rules>);

#[derive(Clone, Default)]
struct Rules {
    required: Scopes,
    methods: HashMap<String, Scopes>,
    tools: HashMap<String, Scopes>,
    tool_arguments: HashMap<String, Vec<ByArguments>>,
    prompts: HashMap<String, Scopes>,
    resources: ResourceRules,
    open: HashSet<Open>,
    implies: Option<Implies>,
    form: ChallengeForm,
    list_everything: bool,
}

/// What may be called without signing in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Open {
    Method(String),
    Tool(String),
    Prompt(String),
    Resource(String),
}

/// How a caller who must sign in first is told so, where others may call without.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChallengeForm {
    /// HTTP 401 with `WWW-Authenticate`, as MCP says.
    #[default]
    Http,
    /// HTTP 200 with a tool result that is an error and carries the challenge as `_meta["mcp/www_authenticate"]`: the form
    /// ChatGPT expects of a tool that asks for sign-in. Everything but a tool call gets [`ChallengeForm::Http`].
    ToolResult,
}

/// Something a server lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item<'a> {
    /// A tool, by name.
    Tool(&'a str),
    /// A prompt, by name.
    Prompt(&'a str),
    /// A resource or resource template, by URI.
    Resource(&'a str),
}

impl Item<'_> {
    /// The method that a call for it is made with.
    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::Tool(_) => "tools/call",
            Self::Prompt(_) => "prompts/get",
            Self::Resource(_) => "resources/read",
        }
    }
}

impl Policy {
    /// A policy that asks nothing beyond being signed in.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn change(self, with: impl FnOnce(&mut Rules)) -> Self {
        let mut rules = Arc::unwrap_or_clone(self.0);
        with(&mut rules);
        Self(Arc::new(rules))
    }

    /// Scopes without which nothing works.
    #[must_use]
    pub fn require(self, scopes: impl Into<Scopes>) -> Self {
        self.change(|rules| rules.required = rules.required.union(&scopes.into()))
    }

    /// Scopes for a JSON-RPC method, such as `tools/call`.
    #[must_use]
    pub fn method(self, method: &str, scopes: impl Into<Scopes>) -> Self {
        self.change(|rules| add(&mut rules.methods, method, &scopes.into()))
    }

    /// Scopes for a tool.
    #[must_use]
    pub fn tool(self, name: &str, scopes: impl Into<Scopes>) -> Self {
        self.change(|rules| add(&mut rules.tools, name, &scopes.into()))
    }

    /// Scopes for a tool that depend on its arguments (spec AUTH-26). The function sees the arguments as the caller sent
    /// them, `null` if there were none. What it asks for is needed even where anybody may call the tool otherwise.
    #[must_use]
    pub fn tool_arguments(
        self,
        name: &str,
        needs: impl Fn(&Value) -> Scopes + Send + Sync + 'static,
    ) -> Self {
        self.change(|rules| {
            rules.tool_arguments.entry(name.to_owned()).or_default().push(Arc::new(needs));
        })
    }

    /// Scopes for a prompt, and for completing its arguments.
    #[must_use]
    pub fn prompt(self, name: &str, scopes: impl Into<Scopes>) -> Self {
        self.change(|rules| add(&mut rules.prompts, name, &scopes.into()))
    }

    /// Scopes for reading, subscribing to and completing one resource, by URI.
    ///
    /// They are needed for whatever a server could take for that URI: encoded, with dots and more slashes, in other letter
    /// case, with a user's name, a query, a fragment. A URI that could be taken for too many things needs the scopes of all
    /// rules for resources. What only the server knows, such as links in its file system, no rule can know; and a server that
    /// does not look at the scheme reads `x:///a` where the rule is for `file:///a`.
    #[must_use]
    pub fn resource(self, uri: &str, scopes: impl Into<Scopes>) -> Self {
        self.change(|rules| rules.resources.add(uri, &scopes.into()))
    }

    /// Scopes for every resource whose URI begins so, as [`resource`](Self::resource) otherwise.
    #[must_use]
    pub fn resources_under(self, prefix: &str, scopes: impl Into<Scopes>) -> Self {
        self.change(|rules| rules.resources.add_under(prefix, &scopes.into()))
    }

    /// Lets anybody call a tool without signing in, and see the lists; everything else keeps asking.
    #[must_use]
    pub fn allow_anonymous_tool(self, name: &str) -> Self {
        self.open(Open::Tool(name.to_owned()))
    }

    /// Lets anybody get a prompt without signing in.
    #[must_use]
    pub fn allow_anonymous_prompt(self, name: &str) -> Self {
        self.open(Open::Prompt(name.to_owned()))
    }

    /// Lets anybody read a resource without signing in, by its URI letter for letter: other spellings are not opened.
    #[must_use]
    pub fn allow_anonymous_resource(self, uri: &str) -> Self {
        self.open(Open::Resource(uri.to_owned()))
    }

    /// Lets anybody call a JSON-RPC method without signing in. For `tools/call` that means every tool without rules.
    #[must_use]
    pub fn allow_anonymous_method(self, method: &str) -> Self {
        self.open(Open::Method(method.to_owned()))
    }

    fn open(self, what: Open) -> Self {
        self.change(|rules| {
            rules.open.insert(what);
        })
    }

    /// Says which scopes are as good as others (spec AUTH-28): `held`, then `needed`. Equal scopes always are.
    #[must_use]
    pub fn implies(self, hook: impl Fn(&Scope, &Scope) -> bool + Send + Sync + 'static) -> Self {
        self.change(|rules| rules.implies = Some(Arc::new(hook)))
    }

    /// How callers are told to sign in.
    #[must_use]
    pub fn challenge_form(self, form: ChallengeForm) -> Self {
        self.change(|rules| rules.form = form)
    }

    /// Lists show what the caller may not call yet, so that a client can find out what it could ask for.
    #[must_use]
    pub fn list_everything(self) -> Self {
        self.change(|rules| rules.list_everything = true)
    }

    /// Whether a caller gets to see something in a list.
    ///
    /// A signed-in caller sees what its scopes allow and what is open to everybody. One that is not signed in sees everything
    /// where anonymous calls are allowed at all: trying is how a client finds out that it must sign in.
    #[must_use]
    pub fn visible(&self, identity: &Identity, item: Item<'_>) -> bool {
        if self.0.list_everything || (identity.is_anonymous() && self.allows_anonymous()) {
            return true;
        }
        self.opens(item) || self.missing(identity, &self.needs(item)).is_empty()
    }

    /// Whether [`visible`](Self::visible) can ever say no.
    #[must_use]
    pub fn filters(&self) -> bool {
        let rules = &self.0;
        let no_rules = rules.tools.is_empty()
            && rules.prompts.is_empty()
            && rules.resources.is_empty()
            && rules.methods.is_empty();
        // Where something is open, callers without the scopes for anything at all get to see lists, too.
        let no_strangers = rules.required.is_empty() || !self.allows_anonymous();
        !(rules.list_everything || (no_rules && no_strangers))
    }

    /// The `securitySchemes` of a listed tool, as ChatGPT reads them; `None` where every call asks for sign-in anyway.
    #[must_use]
    pub fn security_schemes(&self, tool: &str) -> Option<Value> {
        if !self.allows_anonymous() {
            return None;
        }
        let scopes: Vec<String> =
            self.needs(Item::Tool(tool)).for_challenge().iter().map(ToString::to_string).collect();
        let oauth = json!({ "type": "oauth2", "scopes": scopes });
        Some(if self.opens(Item::Tool(tool)) { json!([{ "type": "noauth" }, oauth]) } else { json!([oauth]) })
    }

    /// Whether anything may be called without signing in.
    #[must_use]
    pub fn allows_anonymous(&self) -> bool {
        !self.0.open.is_empty()
    }

    pub(crate) fn form(&self) -> ChallengeForm {
        self.0.form
    }

    pub(crate) fn required(&self) -> &Scopes {
        &self.0.required
    }

    /// Whether decisions depend on the body. What is needed for anything at all does not, unless something is open: then
    /// only the body tells whether that is what a caller without those scopes asks for.
    pub(crate) fn reads_bodies(&self) -> bool {
        let rules = &self.0;
        let no_rules = rules.methods.is_empty()
            && rules.tools.is_empty()
            && rules.tool_arguments.is_empty()
            && rules.prompts.is_empty()
            && rules.resources.is_empty();
        !no_rules || (self.allows_anonymous() && !rules.required.is_empty())
    }

    pub(super) fn method_needs(&self, method: &str) -> Scopes {
        self.0.methods.get(method).cloned().unwrap_or_default()
    }

    pub(super) fn argument_needs<E>(
        &self,
        tool: &str,
        arguments: impl FnOnce() -> Result<Value, E>,
    ) -> Result<Scopes, E> {
        let Some(rules) = self.0.tool_arguments.get(tool) else { return Ok(Scopes::none()) };
        let arguments = arguments()?;
        Ok(rules.iter().fold(Scopes::none(), |needed, rule| needed.union(&rule(&arguments))))
    }

    /// All scopes that calling, getting or reading an item needs.
    pub(super) fn needs(&self, item: Item<'_>) -> Scopes {
        let rules = &self.0;
        let own = match item {
            Item::Tool(name) => rules.tools.get(name).cloned(),
            Item::Prompt(name) => rules.prompts.get(name).cloned(),
            Item::Resource(uri) => self.resource_needs(uri),
        };
        rules.required.union(&self.method_needs(item.method())).union(&own.unwrap_or_default())
    }

    /// The scopes of the rules for a resource; nothing where there is no rule.
    pub(super) fn resource_needs(&self, uri: &str) -> Option<Scopes> {
        self.0.resources.needs(uri)
    }

    pub(super) fn opens_method(&self, method: &str) -> bool {
        self.0.open.contains(&Open::Method(method.to_owned()))
    }

    pub(super) fn rules_method(&self, method: &str) -> bool {
        self.0.methods.contains_key(method)
    }

    pub(super) fn opens(&self, item: Item<'_>) -> bool {
        let rules = &self.0;
        if rules.open.is_empty() {
            return false;
        }
        let named = match item {
            Item::Tool(name) => Open::Tool(name.to_owned()),
            Item::Prompt(name) => Open::Prompt(name.to_owned()),
            Item::Resource(uri) => Open::Resource(uri.to_owned()),
        };
        if rules.open.contains(&named) {
            return true;
        }
        // A method opened as a whole opens what nobody wrote a rule for.
        let ruled = || match item {
            Item::Tool(name) => rules.tools.contains_key(name) || rules.tool_arguments.contains_key(name),
            Item::Prompt(name) => rules.prompts.contains_key(name),
            Item::Resource(uri) => self.resource_needs(uri).is_some(),
        };
        self.opens_method(item.method()) && !ruled()
    }

    /// What of `needed` a caller lacks, hierarchy considered.
    pub(crate) fn missing(&self, identity: &Identity, needed: &Scopes) -> Scopes {
        let held = identity.scopes();
        needed
            .iter()
            .filter(|scope| {
                !held.contains(scope)
                    && !self.0.implies.as_ref().is_some_and(|hook| held.iter().any(|have| hook(have, scope)))
            })
            .cloned()
            .collect()
    }
}

fn add(rules: &mut HashMap<String, Scopes>, name: &str, scopes: &Scopes) {
    let entry = rules.entry(name.to_owned()).or_default();
    *entry = entry.union(scopes);
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("required", &self.0.required)
            .field("methods", &self.0.methods)
            .field("tools", &self.0.tools)
            .field("prompts", &self.0.prompts)
            .field("resources", &self.0.resources)
            .field("open", &self.0.open)
            .finish_non_exhaustive()
    }
}
