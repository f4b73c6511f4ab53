//! Logs the requests that the server refuses.
//!
//! A browser tells a page only that a WebSocket failed, not why. So the reason for a refusal can be read only
//! in this log. The log contains no URL queries and no tokens.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::StatusCode;
use tokio::time;
use tracing::info;

/// The time span after which the count of refusals restarts.
const SPAN: Duration = Duration::from_secs(1);

/// At most this many refusals in each time span get a log line of their own.
const LOGGED_PER_SPAN: u64 = 5;

/// The maximum length of a logged text that contains input from a client, in bytes.
const MAX_BYTES: usize = 300;

/// The texts that precede a token in a URL, even in a malformed URL such as `/ws&token=…`.
const TOKEN_MARKS: [&str; 2] = ["token=", "token%3d"];

/// Logs refused requests, but only the first few of each second. Counts all further refused requests.
#[derive(Debug, Default)]
pub struct RefusalLog {
    /// The number of refusals in the current time span.
    count: AtomicU64,
}

impl RefusalLog {
    /// Counts a refused request, and logs the request if it is one of the first few in the current second.
    ///
    /// A preflight of a refused origin is answered with 204. The answer lacks the permission, so the browser
    /// does not send the page's request.
    pub fn refused(&self, client: IpAddr, path: &str, status: StatusCode, reason: &str) {
        if self.count.fetch_add(1, Ordering::Relaxed) < LOGGED_PER_SPAN {
            let (path, reason) = (shown(path), shown(reason));
            if status == StatusCode::NO_CONTENT {
                info!(%client, path, reason, "answered a preflight without permission for the page");
            } else {
                info!(%client, path, status = status.as_u16(), reason, "refused a request");
            }
        }
    }

    /// After each second, logs the number of refusals that were counted but not logged, and resets the count.
    pub async fn report(&self) {
        let mut spans = time::interval(SPAN);
        loop {
            spans.tick().await;
            let unlogged = self.count.swap(0, Ordering::Relaxed).saturating_sub(LOGGED_PER_SPAN);
            if unlogged > 0 {
                info!(requests = unlogged, "refused more requests within a second");
            }
        }
    }
}

/// Shortens a text that contains input from a client, for the log. If the text contains a token, cuts off the
/// token and all text after the token.
fn shown(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let token = TOKEN_MARKS.iter().filter_map(|mark| lower.find(mark)).min();
    let end = token.unwrap_or(text.len()).min(text.floor_char_boundary(MAX_BYTES));
    if end == text.len() { text.to_owned() } else { format!("{}…", &text[..end]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_shown_without_a_token_and_not_too_long() {
        assert_eq!(shown("/ws"), "/ws");
        assert_eq!(shown("this token does not allow NVDA"), "this token does not allow NVDA");
        assert_eq!(shown("/ws&token=secret"), "/ws&…");
        assert_eq!(shown("/ws%3FTOKEN%3Dsecret"), "/ws%3F…");
        assert_eq!(shown("symbol \"A?access_token=secret\" has a ?"), "symbol \"A?access_…");
        assert_eq!(shown(&"é".repeat(1000)).len(), MAX_BYTES + '…'.len_utf8());
    }
}
