//! Looks up the names of a feed's symbols.

use std::time::Duration;

use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::connection::Connection;
use super::frame::Head;
use super::target::Target;
use super::url;

/// The time limit for the look-up of the names.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest number of names that one look-up reads.
const MOST: u64 = 100_000;

/// Returns the names of the symbols that have had an event. Subscribes to all symbols on a second connection,
/// and reads their snapshots. The list is incomplete after a time-out or an error, for example if the token
/// does not allow `*`.
pub async fn names(target: &Target) -> Vec<String> {
    let mut names = Vec::new();
    let target = Target { url: url::keeping(&target.url, |name| name == "token"), ..target.clone() };
    // The interval is the longest possible, because updates are not needed.
    let url = url::with(&target.url, "symbols", "*").and_then(|url| url::with(&url, "interval_ms", "60000"));
    let Ok(url) = url else { return names };
    // A time-out and an error are ignored, because the names up to then are still useful.
    let _ = timeout(TIMEOUT, read(&Target { url, ..target }, &mut names)).await;
    names
}

async fn read(target: &Target, names: &mut Vec<String>) -> Option<()> {
    let mut connection = Connection::open(target).await.ok()?;
    let mut owed = 1;
    while owed > 0 {
        let Message::Text(text) = connection.next().await.ok()? else { continue };
        let head = Head::of(&text);
        match head.kind.as_ref() {
            "subscribed" => owed = head.snapshots.unwrap_or(0).min(MOST),
            "snapshot" => {
                owed -= 1;
                names.extend(head.symbol);
            }
            "error" => return None,
            _ => {}
        }
    }
    connection.close().await;
    Some(())
}
