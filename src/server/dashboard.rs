//! `/`, `/client.js`, `/licenses.txt` and `/assets/…`: the dashboard and the browser library.
//!
//! `build.rs` has built the files and has put them into the program, also in compressed form. A program that
//! was built without npm has none of these files. It has the plain page, which needs no build.

use http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper::body::Bytes;
use warp::Reply;

use super::compression::Coding;
use super::json_response::error_response;
use crate::wire::{ErrorCode, ErrorReply};

/// The path of the files that have their hashes in their names, without the first slash.
pub const PREFIX: &str = "assets/";

/// A built file.
struct File {
    /// The path in a URL, without the first slash.
    name: &'static str,
    /// The `ETag` of the file, the same for its three forms.
    tag: &'static str,
    plain: &'static [u8],
    brotli: &'static [u8],
    gzip: &'static [u8],
}

// `FILES` has the built files. `MISSING` has the reason why there are none, if there are none.
include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// The page at `/` of a program that was built without npm.
const PLAIN_PAGE: &str = include_str!("page.html");

/// The content security policy of the dashboard. It may load files of its own server and connect to it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The content security policy of the plain page. The hashes are those of its style and of its script.
const PLAIN_POLICY: &str = "default-src 'none'; \
                            script-src 'sha256-pd+L3X1Woo66jaj/s38S/05EoYzqx21T9zMw4OVDwfY='; \
                            style-src 'sha256-ZKmIEpGWRjSp2i99tWcbQqzFO2HJgHGvvO4yxGVkWzw='; \
                            connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                            frame-ancestors 'none'";

/// Returns the reason why this program has no dashboard, if it has none.
#[must_use]
pub const fn missing_dashboard() -> Option<&'static str> {
    MISSING
}

/// Returns the response with the file at a path. Returns `None` if there is no such file.
///
/// The response closes the connection. If the connection stayed open, it could use up the last permit, which
/// the page's WebSocket needs.
pub fn response(path: &str, headers: &HeaderMap) -> Option<warp::reply::Response> {
    let name = match path.strip_prefix('/')? {
        "" => "index.html",
        name => name,
    };
    let Some(file) = FILES.iter().find(|file| file.name == name) else {
        return match name {
            "index.html" => Some(plain_page()),
            "client.js" | "licenses.txt" => Some(missing_file()),
            _ => None,
        };
    };
    let is_page = name == "index.html";
    let cache = if name.starts_with(PREFIX) { "max-age=31536000, immutable" } else { "no-cache" };
    let coding = Coding::among(&[Coding::Brotli, Coding::Gzip], headers);
    let is_known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    let (status, bytes) = if is_known.into_iter().any(|tags| has_tag(tags, file.tag)) {
        (StatusCode::NOT_MODIFIED, &[][..])
    } else {
        let forms = [(Some(Coding::Brotli), file.brotli), (Some(Coding::Gzip), file.gzip)];
        let form = forms.into_iter().find(|(form, _)| *form == coding);
        (StatusCode::OK, form.map_or(file.plain, |(_, bytes)| bytes))
    };
    let mut response = Response::new(Bytes::from_static(bytes)).into_response();
    *response.status_mut() = status;
    let policy = is_page.then_some((CONTENT_SECURITY_POLICY, POLICY));
    let common = [(CONTENT_TYPE, content_type(name)), (CACHE_CONTROL, cache), (ETAG, file.tag)];
    add(&mut response, common.into_iter().chain(policy));
    if let Some(coding) = coding {
        response.headers_mut().insert(CONTENT_ENCODING, coding.header());
    }
    Some(response)
}

fn plain_page() -> warp::reply::Response {
    let mut response = Response::new(PLAIN_PAGE).into_response();
    let headers = [
        (CONTENT_TYPE, content_type("index.html")),
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, PLAIN_POLICY),
    ];
    add(&mut response, headers);
    response
}

/// Returns the error response for a file that a program without the dashboard does not have.
fn missing_file() -> warp::reply::Response {
    let message = "this server was built without npm, so it has no dashboard and no client library";
    error_response(StatusCode::NOT_FOUND, &ErrorReply::new(ErrorCode::NotFound, message))
}

/// Adds headers to a response, and the headers that all files have.
fn add(response: &mut warp::reply::Response, headers: impl IntoIterator<Item = (HeaderName, &'static str)>) {
    let common = [(CONNECTION, "close"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    let headers = common.into_iter().chain(headers);
    response.headers_mut().extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
}

/// Returns whether the value of `If-None-Match` has a tag. Tags are compared weakly (RFC 9110, section 13.1.2).
fn has_tag(tags: &str, tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    tags.trim() == "*" || tags.split(',').any(|other| opaque(other) == opaque(tag))
}

/// Returns the media type of a file.
fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    /// Returns the text between two marks of the plain page, as a browser hashes it.
    fn hash_between(begin: &str, end: &str) -> String {
        let (_, rest) = PLAIN_PAGE.split_once(begin).unwrap();
        let (text, _) = rest.split_once(end).unwrap();
        format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
    }

    #[test]
    fn the_policy_of_the_plain_page_has_the_hashes_of_its_script_and_its_style() {
        let script = hash_between("<script type=\"module\">", "</script>");
        let style = hash_between("<style>", "</style>");

        assert!(PLAIN_POLICY.contains(&format!("script-src {script};")), "{script}");
        assert!(PLAIN_POLICY.contains(&format!("style-src {style};")), "{style}");
    }

    #[test]
    fn a_tag_is_found_in_a_list_and_compared_weakly() {
        assert!(has_tag("\"a\", W/\"b\"", "W/\"b\""));
        assert!(has_tag("\"b\"", "W/\"b\""));
        assert!(has_tag("*", "W/\"b\""));
        assert!(!has_tag("\"a\"", "W/\"b\""));
    }
}
