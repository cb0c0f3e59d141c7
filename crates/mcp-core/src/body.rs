//! The one body type of these crates, boxed once where a request enters.

use std::any::Any;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, Full};

use crate::stream::Watched;

/// Any error, boxed.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A request or response body of any origin.
///
/// ```
/// use http_body::Body as _;
/// use mcp_core::Body;
///
/// let body = Body::from("hello");
/// assert_eq!(body.size_hint().exact(), Some(5));
/// assert!(Body::empty().is_end_stream());
/// ```
pub struct Body(Inner);

enum Inner {
    Full(Full<Bytes>),
    Boxed(UnsyncBoxBody<Bytes, BoxError>),
    /// As SDKs hand them over, boxed already.
    Unfailing(BoxBody<Bytes, Infallible>),
    Watched(Box<Watched>),
}

/// The value as another type, if it is of that type; boxing what is boxed already would cost an allocation and a virtual
/// call for each use, on every layer of a stack.
pub(crate) fn take_as<T: 'static, U: 'static>(value: T) -> Result<U, T> {
    let mut slot = Some(value);
    let any: &mut dyn Any = &mut slot;
    match any.downcast_mut::<Option<U>>().and_then(Option::take) {
        Some(value) => Ok(value),
        None => Err(slot.expect("a value of another type was not taken")),
    }
}

impl Body {
    /// A body without a byte.
    #[must_use]
    pub fn empty() -> Self {
        Self::from(Bytes::new())
    }

    /// Takes any body. One that is a [`Body`] already is not boxed again.
    pub fn new<B>(body: B) -> Self
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        match take_as::<_, Self>(body) {
            Ok(body) => body,
            Err(body) => Self(match take_as(body) {
                Ok(body) => Inner::Unfailing(body),
                Err(body) => Inner::Boxed(body.map_err(Into::into).boxed_unsync()),
            }),
        }
    }

    /// Whether all of it is in memory.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.0, Inner::Full(_))
    }

    /// A body that ends when its caller's credential does.
    pub(crate) fn watched(body: Watched) -> Self {
        Self(Inner::Watched(Box::new(body)))
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Inner::Full(Full::new(bytes)))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::from(Bytes::from(text))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(Bytes::from(bytes))
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::from(Bytes::from_static(text.as_bytes()))
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Inner::Full(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Inner::Boxed(body) => Pin::new(body).poll_frame(cx),
            Inner::Unfailing(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Inner::Watched(body) => Pin::new(&mut **body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Full(body) => body.is_end_stream(),
            Inner::Boxed(body) => body.is_end_stream(),
            Inner::Unfailing(body) => body.is_end_stream(),
            Inner::Watched(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Full(body) => body.size_hint(),
            Inner::Boxed(body) => body.size_hint(),
            Inner::Unfailing(body) => body.size_hint(),
            Inner::Watched(body) => body.size_hint(),
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}
