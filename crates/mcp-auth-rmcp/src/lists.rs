//! What a caller gets to see of a server's lists.

use mcp_core::policy::{Item, Policy};
use rmcp::RoleServer;
use rmcp::model::{
    CacheScope, ErrorData, ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult,
    ListSkillsResult, ListToolsResult, MetaObject,
};
use rmcp::service::RequestContext;

use crate::caller::identity;

type Context = RequestContext<RoleServer>;

/// A list of a server, reduced to what its reader may see.
pub(crate) trait Listing: Sized {
    /// Keeps what `sees` says yes to.
    fn keep(&mut self, sees: impl Fn(Item<'_>) -> bool);
    /// Who may cache the list.
    fn scope(&mut self) -> &mut Option<CacheScope>;

    /// Reduces the list to what the caller may see. Such a list is the caller's own: no cache may hand it to others
    /// (spec TR-28).
    fn seen_by(mut self, context: &Viewer) -> Self {
        let Some(viewer) = &context.0 else { return self };
        self.keep(|item| viewer.policy.visible(&viewer.identity, item));
        if let Some(scope) = self.scope() {
            *scope = CacheScope::Private;
        }
        self
    }
}

/// Whose eyes a list is for; nobody's in particular where the policy hides nothing.
pub(crate) struct Viewer(Option<Eyes>);

struct Eyes {
    policy: Policy,
    identity: mcp_core::Identity,
}

impl Viewer {
    /// The caller of a request.
    ///
    /// # Errors
    /// When the policy hides something and the caller is not known: an unfiltered list would be an open door.
    pub(crate) fn of(policy: &Policy, context: &Context) -> Result<Self, ErrorData> {
        if !policy.filters() {
            return Ok(Self(None));
        }
        let identity = identity(&context.extensions)?.clone();
        Ok(Self(Some(Eyes { policy: policy.clone(), identity })))
    }
}

macro_rules! listing {
    ($list:ty, $items:ident, $item:ident => $as_item:expr) => {
        impl Listing for $list {
            fn keep(&mut self, sees: impl Fn(Item<'_>) -> bool) {
                self.$items.retain(|$item| sees($as_item));
            }

            fn scope(&mut self) -> &mut Option<CacheScope> {
                &mut self.cache_scope
            }
        }
    };
}

listing!(ListToolsResult, tools, tool => Item::Tool(&tool.name));
listing!(ListPromptsResult, prompts, prompt => Item::Prompt(&prompt.name));
listing!(ListResourcesResult, resources, resource => Item::Resource(&resource.uri));
listing!(ListResourceTemplatesResult, resource_templates, template => Item::Resource(&template.uri_template));
listing!(ListSkillsResult, skills, skill => Item::Resource(&skill.uri));

/// Says at each tool how to sign in for it, where some may be called without: in `_meta`, where clients look that do
/// not find the field of the same name at the tool itself.
pub(crate) fn describe_sign_in(list: &mut ListToolsResult, policy: &Policy) {
    for tool in &mut list.tools {
        if let Some(schemes) = policy.security_schemes(&tool.name) {
            let MetaObject(meta) = tool.meta.get_or_insert_default();
            meta.insert("securitySchemes".to_owned(), schemes);
        }
    }
}
