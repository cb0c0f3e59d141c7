//! A server handler that shows each caller only what that caller may use.
#![expect(
    deprecated,
    reason = "methods that later revisions dropped are passed on for clients of earlier ones"
)]

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use mcp_core::Policy;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CancelledNotificationParam,
    CompleteRequestParams, CompleteResult, CustomNotification, CustomRequest, CustomResult, DiscoverResult,
    ErrorData, GetPromptRequestParams, GetPromptResponse, GetSkillRequestParams, GetSkillResult,
    GetTaskParams, GetTaskResult, InitializeRequestParams, InitializeResult, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListSkillsResult, ListToolsResult,
    PaginatedRequestParams, ProgressNotificationParam, ProtocolVersion, ReadResourceDirectoryRequestParams,
    ReadResourceDirectoryResult, ReadResourceRequestParams, ReadResourceResponse, ServerConfig,
    SetLevelRequestParams, SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams,
    UpdateTaskParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{RoleServer, ServerHandler};

use crate::lists::{Listing, Viewer, describe_sign_in};

type Context = RequestContext<RoleServer>;
type Answer<T> = Result<T, ErrorData>;

/// A server handler whose lists (tools, prompts, resources, templates, skills) show each caller only what the policy
/// lets it use. Everything else is passed on as it is. A request whose handler panics is answered with an error.
///
/// [`serve`](crate::serve) puts it around your handler. It hides and does not forbid: that a hidden tool cannot be
/// called is the business of the layer before it, which sees the request first.
#[derive(Clone, Debug)]
pub struct Guarded<H> {
    handler: H,
    policy: Policy,
}

impl<H: ServerHandler> Guarded<H> {
    /// Puts a policy around a handler.
    pub fn new(handler: H, policy: Policy) -> Self {
        Self { handler, policy }
    }

    async fn seen<L: Listing>(
        &self,
        context: Context,
        list: impl AsyncFnOnce(Context) -> Answer<L>,
    ) -> Answer<L> {
        let viewer = Viewer::of(&self.policy, &context)?;
        Ok(answered(Box::pin(list(context))).await?.seen_by(&viewer))
    }
}

/// Passes a request on to the handler inside. Boxed: rmcp moves the future of a request about, and one that holds the
/// handler's own is kilobytes.
macro_rules! pass_on {
    ($($method:ident($($argument:ident: $given:ty),+) -> $output:ty;)*) => {
        $(
            fn $method(&self, $($argument: $given),+) -> impl Future<Output = $output> + Send + '_ {
                answered(Box::pin(async move { self.handler.$method($($argument),+).await }))
            }
        )*
    };
}

/// Passes a notification on to the handler inside.
macro_rules! tell {
    ($($method:ident($($argument:ident: $given:ty),+);)*) => {
        $(
            fn $method(&self, $($argument: $given),+) -> impl Future<Output = ()> + Send + '_ {
                self.handler.$method($($argument),+)
            }
        )*
    };
}

/// Makes an error of a panic. rmcp would send nothing: the client would wait for ever, and so would whoever counts the
/// calls that run.
async fn answered<T>(request: impl Future<Output = Answer<T>>) -> Answer<T> {
    let mut request = pin!(request);
    poll_fn(|cx| {
        // A request that panicked is not polled again; what it shared with others, locks poison or the author answers for.
        let polled = catch_unwind(AssertUnwindSafe(|| request.as_mut().poll(cx)));
        polled.unwrap_or_else(|_| {
            tracing::error!("a request handler panicked: its caller is told of an internal error");
            Poll::Ready(Err(ErrorData::internal_error("the server failed to answer this", None)))
        })
    })
    .await
}

// Every method of the trait stands here: one that is missing would silently become the default, which is to know nothing.
impl<H: ServerHandler> ServerHandler for Guarded<H> {
    pass_on! {
        ping(context: Context) -> Answer<()>;
        initialize(request: InitializeRequestParams, context: Context) -> Answer<InitializeResult>;
        discover(context: Context) -> Answer<DiscoverResult>;
        complete(request: CompleteRequestParams, context: Context) -> Answer<CompleteResult>;
        set_level(request: SetLevelRequestParams, context: Context) -> Answer<()>;
        get_prompt(request: GetPromptRequestParams, context: Context) -> Answer<GetPromptResponse>;
        read_resource(request: ReadResourceRequestParams, context: Context) -> Answer<ReadResourceResponse>;
        subscribe(request: SubscribeRequestParams, context: Context) -> Answer<()>;
        unsubscribe(request: UnsubscribeRequestParams, context: Context) -> Answer<()>;
        call_tool(request: CallToolRequestParams, context: Context) -> Answer<CallToolResponse>;
        on_custom_request(request: CustomRequest, context: Context) -> Answer<CustomResult>;
        get_task(request: GetTaskParams, context: Context) -> Answer<GetTaskResult>;
        update_task(request: UpdateTaskParams, context: Context) -> Answer<()>;
        cancel_task(request: CancelTaskParams, context: Context) -> Answer<()>;
        get_skill(request: GetSkillRequestParams, context: Context) -> Answer<GetSkillResult>;
        listen(context: SubscriptionContext) -> Answer<()>;
    }

    tell! {
        on_cancelled(notification: CancelledNotificationParam, context: NotificationContext<RoleServer>);
        on_progress(notification: ProgressNotificationParam, context: NotificationContext<RoleServer>);
        on_initialized(context: NotificationContext<RoleServer>);
        on_roots_list_changed(context: NotificationContext<RoleServer>);
        on_custom_notification(notification: CustomNotification, context: NotificationContext<RoleServer>);
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Answer<ListToolsResult> {
        let mut list =
            self.seen(context, async |context| self.handler.list_tools(request, context).await).await?;
        describe_sign_in(&mut list, &self.policy);
        Ok(list)
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Answer<ListPromptsResult> {
        self.seen(context, async |context| self.handler.list_prompts(request, context).await).await
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Answer<ListResourcesResult> {
        self.seen(context, async |context| self.handler.list_resources(request, context).await).await
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Answer<ListResourceTemplatesResult> {
        self.seen(context, async |context| self.handler.list_resource_templates(request, context).await).await
    }

    async fn list_skills(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Answer<ListSkillsResult> {
        self.seen(context, async |context| self.handler.list_skills(request, context).await).await
    }

    async fn read_resource_directory(
        &self,
        request: ReadResourceDirectoryRequestParams,
        context: Context,
    ) -> Answer<ReadResourceDirectoryResult> {
        self.seen(context, async |context| self.handler.read_resource_directory(request, context).await).await
    }

    fn negotiate_initialize(&self, request: &InitializeRequestParams) -> Answer<InitializeResult> {
        self.handler.negotiate_initialize(request)
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.handler.supported_protocol_versions()
    }

    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        self.handler.accepted_subscription_filter(requested)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.handler.get_tool(name)
    }

    fn get_info(&self) -> ServerConfig {
        self.handler.get_info()
    }
}
