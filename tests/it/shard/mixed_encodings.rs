//! Tests of one shard that has WebSocket clients and NDJSON clients. Each client gets the same frames as if
//! it were the only client. All clients with the same encoding get the same bytes for an event.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tickerplant::encoding::Encoding;

use crate::support::resuming_client::ResumingClient;
use crate::support::shard_harness::{
    ENOUGH, ShardHarness, Step, a_bus, catch_up_bytes, channels, cursor, delivery, encoding, step, symbols,
};

#[derive(Clone, Debug)]
enum Act {
    /// One client executes a step of a random test, for example a subscribe.
    One(Index, Step),
    /// The shard reads the log. Each number is the maximum number of bytes that a client's socket accepts. If
    /// there are more clients than numbers, the numbers repeat.
    Read(Vec<usize>),
    /// One client reads all of its pending bytes.
    Drain(Index),
    /// One client disconnects, connects again with this encoding, and resumes with its cursor.
    ComeBack(Index, Encoding),
}

fn act() -> impl Strategy<Value = Act> {
    let client = any::<Index>;
    let bytes = prop_oneof![2 => 0_usize..700, 1 => Just(usize::MAX)];
    prop_oneof![
        12 => (client(), step()).prop_map(|(client, step)| Act::One(client, step)),
        4 => vec(bytes, 1..4).prop_map(Act::Read),
        3 => client().prop_map(Act::Drain),
        1 => (client(), encoding()).prop_map(|(client, encoding)| Act::ComeBack(client, encoding)),
    ]
}

proptest! {
    #[test]
    fn clients_of_both_encodings_each_get_the_right_frames_and_the_same_bytes_of_an_event(
        history in prop_oneof![1 => 1_usize..40, 1 => Just(ENOUGH)],
        every_buffer in prop_oneof![Just(1 << 20), 300_usize..3000],
        catch_up_bytes in catch_up_bytes(),
        clients in vec((delivery(), (1_u8..8, any::<bool>(), 1_u8..8), any::<bool>()), 2..7),
        acts in vec(act(), 1..120),
        is_shut_down in any::<bool>(),
    ) {
        let mut shard = ShardHarness::catching_up_by(catch_up_bytes, a_bus(history, ENOUGH), every_buffer);
        let encodings = Encoding::ALL.into_iter().cycle();
        let mut clients: Vec<ResumingClient> = clients
            .into_iter()
            .zip(encodings)
            .map(|((delivery, (bits, star, kinds), is_back), encoding)| {
                let subscription = (symbols(bits, star), channels(kinds));
                let after = is_back.then(|| cursor(0));
                ResumingClient::begin(&mut shard, encoding, delivery, subscription, after)
            })
            .collect();

        for act in acts {
            match act {
                Act::One(one, step) => shard.step(&mut one.get_mut(&mut clients).client, step),
                Act::Read(bytes) => {
                    shard.read(|id| bytes[id % bytes.len()]);
                }
                Act::Drain(one) => shard.drain(one.get(&clients).client.id),
                Act::ComeBack(one, encoding) => one.get_mut(&mut clients).come_back(&mut shard, encoding)?,
            }
            for client in &mut clients {
                client.follow(&mut shard)?;
            }
        }

        for mut client in clients {
            if is_shut_down {
                shard.shut_down(&mut client.client)?;
            } else {
                client.finish(&mut shard)?;
            }
        }
    }
}
