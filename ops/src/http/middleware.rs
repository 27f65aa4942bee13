//! Middleware as one asynchronous function around whatever comes next. Where axum's `from_fn` boxes what is next and the
//! future for each request and each function, here what is next stays of its own type: a stack of them costs one
//! allocation each.

use std::{
    convert::Infallible,
    task::{Context, Poll},
};

use axum::{extract::Request, response::Response};
use futures::future::BoxFuture;
use tower::{Layer, Service, ServiceExt};

/// Whatever answers a request, in the end a route.
pub trait Next:
    Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<S> Next for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// What happens to a request before it is answered, and to its answer afterwards.
pub trait Middleware: Clone + Send + 'static {
    /// Answers the request, most often with what `next` answers: see [`answer`].
    fn handle(self, request: Request, next: impl Next) -> impl Future<Output = Response> + Send;
}

/// What comes next answers.
pub async fn answer(next: impl Next, request: Request) -> Response {
    let Ok(response) = next.oneshot(request).await;
    response
}

/// Puts a [`Middleware`] around services.
#[derive(Clone, Copy, Debug)]
pub struct Around<M>(pub M);

impl<M: Clone, S> Layer<S> for Around<M> {
    type Service = Surrounded<M, S>;

    fn layer(&self, next: S) -> Surrounded<M, S> {
        Surrounded { middleware: self.0.clone(), next }
    }
}

/// A service with a [`Middleware`] around it.
#[derive(Clone, Copy, Debug)]
pub struct Surrounded<M, S> {
    middleware: M,
    next: S,
}

impl<M: Middleware, S: Next> Service<Request> for Surrounded<M, S> {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // What is next is waited for when it is called.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let (middleware, next) = (self.middleware.clone(), self.next.clone());
        Box::pin(async move { Ok(middleware.handle(request, next).await) })
    }
}
