//! `/openapi.json` and `/asyncapi.json`: the contract with clients in machine-readable form. The pages need no
//! token.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response};
use hyper::body::Bytes;
use serde_json::Value;
use warp::Reply;

use crate::contract;

/// The two documents, as JSON texts.
#[derive(Debug)]
pub struct ContractPages {
    openapi: Bytes,
    asyncapi: Bytes,
}

impl ContractPages {
    /// Answers a request to `/openapi.json`.
    pub fn openapi(&self) -> warp::reply::Response {
        response(&self.openapi)
    }

    /// Answers a request to `/asyncapi.json`.
    pub fn asyncapi(&self) -> warp::reply::Response {
        response(&self.asyncapi)
    }
}

impl Default for ContractPages {
    fn default() -> Self {
        let text = |document: Value| document.to_string().into();
        Self { openapi: text(contract::openapi()), asyncapi: text(contract::asyncapi()) }
    }
}

fn response(document: &Bytes) -> warp::reply::Response {
    let mut response = Response::new(document.clone()).into_response();
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-cache"),
    ];
    response.headers_mut().extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}
