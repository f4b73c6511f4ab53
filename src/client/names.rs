//! The names of the symbols of a feed.

use std::time::Duration;

use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::connection::Connection;
use super::frame::Head;
use super::target::Target;
use super::url;

/// Time limit for the names.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The largest number of names that are read.
const MOST: u64 = 100_000;

/// Returns the names of symbols that have had an event. A second connection subscribes to all symbols and
/// reads their snapshots. Returns those that it has got when the time is over or an error ends it: the
/// token may not allow `*`.
pub async fn names(target: &Target) -> Vec<String> {
    let mut names = Vec::new();
    let target = Target { url: url::keeping(&target.url, |name| name == "token"), ..target.clone() };
    // The longest interval, because updates are not needed.
    let url = url::with(&target.url, "symbols", "*").and_then(|url| url::with(&url, "interval_ms", "60000"));
    let Ok(url) = url else { return names };
    // The time limit and an error end the reading alike.
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
