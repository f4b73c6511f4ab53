use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::super::deadlines::Timeouts;
use super::*;
use crate::bus::{self, Bus, Read, Segment};
use crate::encoding::Body;
use crate::market::{Event, FeedKind, Kind, KindSet, Payload, Trade};
use crate::wire::{Command, CommandWithId, Symbols};

fn shard(every_buffer: usize) -> Shard {
    let bus = Bus::new(&bus::Config::default(), FeedKind::Stdin, "test".to_owned());
    let (_, checkpoint) = bus.reader("test");
    let settings = Settings {
        heartbeat: Duration::from_secs(8),
        every_buffer,
        max_symbols: 0,
        timeouts: Timeouts::default(),
        flush_window: Duration::ZERO,
        has_system_clock: false,
        stall_timeout: Duration::from_secs(10),
        catch_up_bytes: Settings::CATCH_UP_BYTES,
        conflated_events: Settings::CONFLATED_EVENTS,
    };
    Shard::new(bus, checkpoint, settings)
}

fn subscribe(
    shard: &mut Shard,
    encoding: Encoding,
    delivery: Delivery,
    interval: Duration,
    now: Instant,
) -> ConnectionId {
    let id = shard.connect(encoding, now);
    shard.set_delivery(id, delivery, interval);
    subscribe_to(&mut *shard, id, Symbols { all: true, ..Symbols::default() }, now);
    id
}

fn subscribe_to(shard: &mut Shard, id: ConnectionId, symbols: Symbols, now: Instant) {
    let (after, delivery, interval) = (None, None, None);
    let command = Command::Subscribe { symbols, channels: KindSet::ALL, after, delivery, interval };
    shard.execute(id, &CommandWithId { id: None, command }, Time::default());
    let answer = shard.outgoing(id, now).len();
    shard.written(id, answer);
}

/// Connects `clients` clients. Each client subscribes to the symbol `A` and to 999 other symbols.
fn a_thousand_symbols_each(shard: &mut Shard, clients: usize, now: Instant) -> Vec<ConnectionId> {
    let names = (1..1000).map(|number| format!("S{number}")).chain(["A".to_owned()]);
    let names: Vec<_> = names.map(|name| name.parse().unwrap()).collect();
    let mut connect = || {
        let id = shard.connect(Encoding::WebSocket, now);
        subscribe_to(shard, id, Symbols { all: false, names: names.iter().cloned().collect() }, now);
        id
    };
    (0..clients).map(|_| connect()).collect()
}

fn segment(first: u64) -> Read {
    let payload = Payload::Trade(Trade { price: "1".parse().unwrap(), size: None });
    let event = Event { symbol: "A".parse().unwrap(), time: Time::default(), payload };
    Read::Segment(Arc::new(Segment::Events { first, events: vec![event; 100].into() }))
}

#[test]
fn a_turn_ends_even_if_the_log_does_not_and_no_batch_is_full() {
    let now = Instant::now();
    let mut shard = shard(1 << 20);
    subscribe(&mut shard, Encoding::WebSocket, Delivery::Latest, Duration::from_secs(1), now);
    let mut first = 1;
    let endless = || {
        first += 100;
        Some(segment(first - 100))
    };

    let is_drained = shard.read(now, Time::default(), endless, |_, _| 0);

    assert!(!is_drained);
}

#[test]
fn an_event_is_encoded_once_for_all_connections_of_an_encoding() {
    let now = Instant::now();
    let mut shard = shard(1 << 20);
    let [frame, line, other_frame, other_line] = [
        Encoding::WebSocket,
        Encoding::Ndjson(Body::Chunked),
        Encoding::WebSocket,
        Encoding::Ndjson(Body::Chunked),
    ]
    .map(|encoding| subscribe(&mut shard, encoding, Delivery::Every, Duration::ZERO, now));
    let mut segment = Some(segment(1));
    let mut written = BTreeMap::new();

    shard.read(
        now,
        Time::default(),
        || segment.take(),
        |id, bytes| {
            written.insert(id, bytes.as_ptr_range());
            bytes.len()
        },
    );

    // Equal address ranges show that both clients got the same memory, not only equal bytes.
    assert_eq!(written[&frame], written[&other_frame]);
    assert_eq!(written[&line], written[&other_line]);
    assert_ne!(written[&frame], written[&line]);
}

#[test]
fn a_shutdown_replaces_the_close_of_a_slow_consumer() {
    let now = Instant::now();
    let mut shard = shard(100);
    let id = subscribe(&mut shard, Encoding::WebSocket, Delivery::Every, Duration::ZERO, now);
    let mut segment = Some(segment(1));
    shard.read(now, Time::default(), || segment.take(), |_, _| 0);

    shard.close(id, 1001, "");

    assert!(shard.take_closing(id).is_none());
    assert_eq!(shard.outgoing(id, now), [0x88, 2, 0x03, 0xe9]);
}

#[test]
fn heartbeats_that_are_written_with_updates_keep_their_period() {
    let begin = Instant::now();
    let mut shard = shard(1 << 20);
    subscribe(&mut shard, Encoding::WebSocket, Delivery::Every, Duration::ZERO, begin);
    let mut heartbeats = Vec::new();

    // The client gets an update every half second for 80 s.
    for n in 0..160 {
        let now = begin + Duration::from_millis(500) * n;
        let mut segment = Some(segment(u64::from(n) * 100 + 1));
        shard.read(
            now,
            Time::default(),
            || segment.take(),
            |_, bytes| {
                let text = String::from_utf8_lossy(bytes);
                heartbeats.extend(text.contains("\"heartbeat\"").then_some(now - begin));
                bytes.len()
            },
        );
    }

    assert_eq!(heartbeats.first(), Some(&Duration::from_secs(7)));
    assert_eq!(heartbeats.len(), 10, "{heartbeats:?}");
}

#[test]
fn a_standstill_of_the_server_closes_no_client_for_stalling() {
    let now = Instant::now();
    let mut shard = shard(1 << 20);
    let id = subscribe(&mut shard, Encoding::WebSocket, Delivery::Every, Duration::ZERO, now);
    let bus = Arc::clone(&shard.bus);
    bus.set_flow_controlled(true);
    let (_reader, _) = bus.awaited_reader("test");
    let Read::Segment(events) = segment(1) else { unreachable!() };
    let Segment::Events { events, .. } = &*events else { unreachable!() };
    bus.publish(events.to_vec());
    let mut segment = Some(segment(1));
    shard.read(now, Time::default(), || segment.take(), |_, _| 0);
    let mut caught_up = pin!(bus.caught_up());
    assert!(caught_up.as_mut().now_or_never().is_none());

    shard.close_stalled(now);
    let awake = now + Duration::from_mins(1);
    shard.close_stalled(awake);
    assert!(shard.take_closing(id).is_none());

    for tenth in 1..=100 {
        shard.close_stalled(awake + Duration::from_millis(100) * tenth);
    }
    assert!(shard.take_closing(id).is_some());
}

#[test]
fn disconnected_clients_get_nothing_and_their_subscriptions_are_removed_over_several_turns() {
    let now = Instant::now();
    let mut shard = shard(1 << 20);
    let stays = subscribe(&mut shard, Encoding::WebSocket, Delivery::Every, Duration::ZERO, now);
    let gone = a_thousand_symbols_each(&mut shard, 3, now);

    for id in gone {
        shard.disconnect(id);
    }
    shard.begin_turn();
    assert!(shard.is_turn_wanted());

    let mut segment = Some(segment(1));
    let mut written = Vec::new();
    let write = |id, bytes: &[u8]| {
        written.push(id);
        bytes.len()
    };
    shard.read(now, Time::default(), || segment.take(), write);
    assert_eq!(written, [stays]);
    (0..10).for_each(|_| shard.begin_turn());
    assert!(!shard.is_turn_wanted());
    let index = &shard.fan_outs[Encoding::WebSocket.index()].index;
    assert!(index.groups_of(&"A".parse().unwrap(), Kind::Trade).next().is_none());
    assert_eq!(shard.connections.len(), 1);
}

#[test]
fn disconnected_clients_and_new_ones_in_their_place_need_no_more_memory_than_before() {
    let now = Instant::now();
    let mut shard = shard(1 << 20);
    let before = a_thousand_symbols_each(&mut shard, 3, now);

    for id in before {
        shard.disconnect(id);
    }
    let after = a_thousand_symbols_each(&mut shard, 3, now);

    assert_eq!(shard.connections.len(), 3);
    assert!(!shard.is_turn_wanted());
    assert!(after.into_iter().all(|id| shard.connections[id].subscription.len() == 1000));
}
