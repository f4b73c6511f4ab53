//! Writes the answer of `/api/v1/events` from the history.

use http::StatusCode;

use super::data_api::EventsRequest;
use super::json_response::ErrorResponse;
use crate::bus::{Bus, Evicted};
use crate::encoding;
use crate::hub::{self, Missed};
use crate::wire::{Cursor, ErrorCode, ErrorReply, GapReason};

/// The maximum number of events that one page reads from the history. So a request for a rare symbol costs no
/// more time than a request for many events.
const MAX_READ: usize = 16_384;

/// Returns a page of past events, as JSON.
///
/// The page ends before the newest event if the page has as many events as the request allows, or has read
/// [`MAX_READ`] events. The page also ends if the log evicts the next event, or if the feed seeks.
///
/// # Errors
///
/// - The error has the status 400 if the cursor is ahead of the feed.
/// - The error has the status 410 if the cursor is of another epoch, or if the history no longer reaches back
///   to the cursor.
pub fn events_page(bus: &Bus, request: &EventsRequest) -> Result<Vec<u8>, ErrorResponse> {
    let epoch = bus.epoch();
    let mut next = match &request.after {
        Some(cursor) => {
            check(bus, cursor)?;
            bus.after(&cursor.epoch, cursor.seq).map_err(|Evicted| exhausted(bus, cursor))?
        }
        None => bus.oldest_chunk(),
    };
    let head = bus.head();
    let mut seq = request.after.as_ref().map_or(head, |cursor| cursor.seq);
    let mut out = format!("{{\"epoch\":\"{epoch}\",\"seq\":{head},\"events\":[").into_bytes();
    let (mut count, mut read) = (0, 0);
    'page: while let Some(chunk) = next {
        for (event_seq, event) in chunk.iter() {
            if count == request.limit || read == MAX_READ || event_seq > head {
                break 'page;
            }
            seq = event_seq;
            read += 1;
            let is_asked = request.symbols.all || request.symbols.names.contains(&event.symbol);
            if is_asked && request.channels.contains(event.kind()) {
                if count > 0 {
                    out.push(b',');
                }
                encoding::event(&mut out, event_seq, event);
                count += 1;
            }
        }
        next = bus.after(&epoch, seq).unwrap_or(None);
    }
    let next = Cursor { epoch: epoch.to_string(), seq };
    out.extend_from_slice(format!("],\"next\":\"{next}\"}}").as_bytes());
    Ok(out)
}

/// Checks that the history continues after a cursor.
fn check(bus: &Bus, cursor: &Cursor) -> Result<(), ErrorResponse> {
    match hub::check_cursor(bus, cursor).map_err(|error| (StatusCode::BAD_REQUEST, error))? {
        Missed::InHistory => Ok(()),
        Missed::Lost { reason: GapReason::EpochChanged, .. } => {
            let message = format!(
                "{cursor} is of another epoch, because the feed has started again (now {}); begin without `after`",
                bus.epoch()
            );
            Err((StatusCode::GONE, ErrorReply::new(ErrorCode::EpochChanged, message)))
        }
        Missed::Lost { .. } => Err(exhausted(bus, cursor)),
    }
}

fn exhausted(bus: &Bus, cursor: &Cursor) -> ErrorResponse {
    let oldest = bus.oldest_chunk().and_then(|chunk| chunk.iter().next().map(|(seq, _)| seq));
    let begins = oldest.map_or_else(|| "is empty".to_owned(), |seq| format!("begins with event {seq}"));
    let message =
        format!("the history {begins}, and no longer reaches back to {cursor}; begin without `after`");
    (StatusCode::GONE, ErrorReply::new(ErrorCode::HistoryExhausted, message))
}
