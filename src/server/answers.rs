//! Completes the responses of one worker: writes market data, compresses bodies, and sends long bodies in
//! parts.
//!
//! None of this work may delay the updates of the worker's clients. Last values are written on the worker's
//! thread in slices of about half a millisecond. Past events are written, and bodies are compressed, on
//! another thread. A worker works on one request for market data at a time.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, ETAG, VARY};
use http::response::Parts;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{spawn_blocking, yield_now};
use warp::Reply;

use super::compression::Coding;
use super::data_api::{DataRequest, LastValuesRequest};
use super::events_page::events_page;
use super::json_response::{ErrorResponse, error_body};
use super::last_values_page::LastValuesPage;
use crate::bus::Bus;
use crate::hub::ShardRunner;
use crate::wire::{ErrorCode, ErrorReply};

/// How long a slice of last values keeps the worker's thread busy.
const SLICE: Duration = Duration::from_micros(500);

/// A page of last values begins anew at most this many times.
const ATTEMPTS: usize = 5;

/// A body with fewer bytes is not compressed.
const MIN_COMPRESSED_BYTES: u64 = 1024;

/// A longer body is sent in parts of this many bytes. The thread does other work between two parts.
const PART_BYTES: usize = 64 * 1024;

/// Completes the responses of one worker.
#[derive(Debug)]
pub struct Answers {
    runner: Rc<ShardRunner>,
    bus: Arc<Bus>,
    /// The permit for the work on a request for market data. If a client leaves, the other thread keeps the
    /// permit until the work is done.
    turn: Arc<Semaphore>,
}

impl Answers {
    /// Returns the answers of the worker with this shard.
    pub fn new(runner: Rc<ShardRunner>) -> Self {
        let bus = Arc::clone(runner.shard.borrow().bus());
        Self { runner, bus, turn: Arc::new(Semaphore::new(1)) }
    }

    /// Writes the body of a response that has a [`DataRequest`]. Compresses the body if the client accepts a
    /// coding and the body is long enough. A stream is never compressed, because its length is not known.
    ///
    /// The long work is boxed, so that the connection of a stream stays small.
    pub async fn complete(
        &self,
        response: warp::reply::Response,
        coding: Option<Coding>,
    ) -> warp::reply::Response {
        let (mut head, body) = response.into_parts();
        match head.extensions.remove::<DataRequest>() {
            Some(request) => Box::pin(self.market_data(head, request, coding)).await,
            // The files of the dashboard have an `ETag`. The program contains them in compressed form.
            None if head.headers.contains_key(ETAG) => {
                head.headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
                Response::from_parts(head, body)
            }
            None if body.size_hint().exact().is_some_and(|length| length >= MIN_COMPRESSED_BYTES) => {
                Box::pin(async {
                    let body = body.collect().await.expect("a body of a known length is in memory");
                    compressed(head, body.to_bytes(), coding, None).await
                })
                .await
            }
            None => Response::from_parts(head, body),
        }
    }

    /// Returns the response to a request for market data. Waits until the worker has completed all earlier
    /// requests for market data.
    async fn market_data(
        &self,
        mut head: Parts,
        request: DataRequest,
        coding: Option<Coding>,
    ) -> warp::reply::Response {
        let turn = Arc::clone(&self.turn).acquire_owned().await.expect("the semaphore is never closed");
        let (written, turn) = match request {
            DataRequest::LastValues(request) => (self.last_values(&request).await, turn),
            DataRequest::Events(request) => {
                let bus = Arc::clone(&self.bus);
                let writing = spawn_blocking(move || (events_page(&bus, &request), turn));
                writing.await.expect("a page of events is written without a panic")
            }
        };
        match written {
            Ok(body) => compressed(head, body.into(), coding, Some(turn)).await,
            Err((status, error)) => {
                head.status = status;
                Response::from_parts(head, Bytes::from(error_body(&error))).into_response()
            }
        }
    }

    /// Writes a page of last values in slices. If the feed seeks between two slices, begins the page anew,
    /// because a seek may give the symbols other indexes.
    async fn last_values(&self, request: &LastValuesRequest) -> Result<Vec<u8>, ErrorResponse> {
        for _ in 0..ATTEMPTS {
            let (seek, mut page) = {
                let shard = self.runner.shard.borrow();
                let page = LastValuesPage::begin(request, &shard.market().last_values);
                (shard.market().seek, page.map_err(|error| (StatusCode::BAD_REQUEST, error))?)
            };
            while self.runner.shard.borrow().market().seek == seek {
                let end = Instant::now() + SLICE;
                if page.write(&self.runner.shard.borrow().market().last_values, end) {
                    return Ok(page.into_bytes());
                }
                yield_now().await;
            }
        }
        let message = "the feed seeks again and again, faster than the answer can be written; ask again";
        Err((StatusCode::SERVICE_UNAVAILABLE, ErrorReply::new(ErrorCode::NotReady, message)))
    }
}

/// Returns a response with this body, compressed on another thread if the client accepts a coding. The other
/// thread keeps the permit `turn`, if there is one, until the body is compressed.
async fn compressed(
    mut head: Parts,
    body: Bytes,
    coding: Option<Coding>,
    turn: Option<OwnedSemaphorePermit>,
) -> warp::reply::Response {
    head.headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    let Some(coding) = coding.filter(|_| body.len() as u64 >= MIN_COMPRESSED_BYTES) else {
        return in_parts(head, body);
    };
    let compressing = spawn_blocking(move || (coding.compress(&body), turn));
    let (compressed, _turn) = compressing.await.expect("a body is compressed without a panic");
    head.headers.insert(CONTENT_ENCODING, coding.header());
    in_parts(head, compressed.into())
}

/// Returns a response with this body. A long body is sent in parts, so that the thread does not spend a long
/// time on one write.
fn in_parts(mut head: Parts, body: Bytes) -> warp::reply::Response {
    if body.len() <= PART_BYTES {
        return Response::from_parts(head, body).into_response();
    }
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    let parts = stream::unfold(body, |mut rest| async move {
        if rest.is_empty() {
            return None;
        }
        let part = rest.split_to(rest.len().min(PART_BYTES));
        yield_now().await;
        Some((Ok::<_, Infallible>(part), rest))
    });
    Response::from_parts(head, warp::reply::stream(parts).into_response().into_body())
}
