//! Tests with arbitrary bytes from a client. The WebSocket decoder must not panic, its buffers must not grow
//! past their limits, and each error must have a reason.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use tickerplant::wire::{CloseReason, Decoder, DecoderLimits, Incoming, Message};

use crate::support::proptest_cases::cases;

const LIMIT: usize = 1000;

fn decoder() -> Decoder {
    Decoder::new(DecoderLimits { message_bytes: LIMIT, fragments: 0 })
}

/// A WebSocket frame of a client, valid or invalid.
#[derive(Clone, Debug)]
struct Frame {
    /// The first byte of the frame: the final bit, the reserved bits and the opcode.
    first: u8,
    mask: Option<[u8; 4]>,
    payload: Vec<u8>,
    form: Form,
    /// The payload length that the frame's header gives, if it differs from the real length of the payload.
    declared: Option<u64>,
}

/// How many bytes of the frame's header give the payload length. If the length does not fit in these bytes,
/// its high bits are cut off.
#[derive(Clone, Copy, Debug)]
enum Form {
    Shortest,
    TwoBytes,
    EightBytes,
}

impl Frame {
    fn good(first: u8, mask: [u8; 4], payload: Vec<u8>) -> Self {
        Self { first, mask: Some(mask), payload, form: Form::Shortest, declared: None }
    }

    fn write_to(&self, out: &mut Vec<u8>) {
        let masked = if self.mask.is_some() { 0x80 } else { 0_u8 };
        let len = self.declared.unwrap_or(self.payload.len() as u64);
        let bytes = len.to_be_bytes();
        out.push(self.first);
        match (self.form, len) {
            (Form::Shortest, ..126) => out.push(masked + bytes[7]),
            (Form::Shortest, ..65_536) | (Form::TwoBytes, _) => {
                out.push(masked + 126);
                out.extend_from_slice(&bytes[6..]);
            }
            (Form::Shortest | Form::EightBytes, _) => {
                out.push(masked + 127);
                out.extend_from_slice(&bytes);
            }
        }
        out.extend_from_slice(self.mask.as_ref().map_or(&[], |mask| mask.as_slice()));
        let mask = self.mask.unwrap_or_default();
        out.extend(self.payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
}

/// Generates a frame. About one in eight frames gets a random change, which can make the frame invalid.
fn any_frame() -> impl Strategy<Value = Frame> {
    let opcodes = select(vec![0x81_u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8a]);
    let payload = prop_oneof![
        4 => vec(any::<u8>(), 0..20),
        4 => "[a-zé€]{0,40}".prop_map(String::into_bytes),
        1 => (120_usize..130).prop_map(|len| vec![b'x'; len]),
        1 => (LIMIT - 3..LIMIT + 3).prop_map(|len| vec![b'y'; len]),
    ];
    let lengths = prop_oneof![
        select(vec![0, 1, 125, 126, 127, 65_535, 65_536, 1 << 31, 1 << 32, 1 << 62, 1 << 63, u64::MAX]),
        any::<u64>(),
    ];
    let good = (opcodes, any::<[u8; 4]>(), payload);
    let good = good.prop_map(|(first, mask, payload)| Frame::good(first, mask, payload));
    let forms = select(vec![Form::Shortest, Form::TwoBytes, Form::EightBytes]);
    prop_oneof![
        28 => good.clone(),
        1 => (good.clone(), any::<u8>()).prop_map(|(frame, first)| Frame { first, ..frame }),
        1 => (good.clone(), forms.clone()).prop_map(|(frame, form)| Frame { form, ..frame }),
        1 => good.clone().prop_map(|frame| Frame { mask: None, ..frame }),
        1 => (good, forms, lengths).prop_map(|(frame, form, len)| Frame { form, declared: Some(len), ..frame }),
    ]
}

fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
    let frames = || {
        vec(any_frame(), 0..12).prop_map(|frames| {
            let mut bytes = Vec::new();
            for frame in frames {
                frame.write_to(&mut bytes);
            }
            bytes
        })
    };
    prop_oneof![
        1 => vec(any::<u8>(), 0..300),
        4 => frames(),
        1 => (frames(), vec((any::<Index>(), any::<u8>()), 1..4)).prop_map(|(mut bytes, changes)| {
            let len = bytes.len();
            for (index, byte) in changes.into_iter().filter(|_| len > 0) {
                bytes[index.index(len)] = byte;
            }
            bytes
        }),
    ]
}

/// Splits the bytes into pieces of these lengths. If there are too few lengths, they are used again from the
/// first one on.
fn pieces<'a>(mut bytes: &'a [u8], lengths: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(move || {
        let (piece, rest) = bytes.split_at(bytes.len().min(*lengths.next()?));
        bytes = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Decodes the pieces. Returns all decoded messages, and the close code if an invalid frame ended the
/// connection.
fn decoded<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Incoming>, Option<u16>) {
    let mut decoder = decoder();
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.message() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, CloseReason::from(error).frame().map(|(code, _)| code)),
            }
        }
    }
    (messages, None)
}

/// Returns the number of payload bytes of a client's message or ping.
fn len(inbound: &Incoming) -> usize {
    match inbound {
        Incoming::Message(message) => message.len(),
        Incoming::Ping(payload) => payload.len(),
        Incoming::Pong | Incoming::Close(_) => 0,
    }
}

proptest! {
    #![proptest_config(cases(1024))]

    #[test]
    fn messages_do_not_depend_on_how_their_bytes_arrive(
        bytes in some_bytes(),
        lengths in vec(1_usize..200, 1..6),
    ) {
        let (messages, code) = decoded(std::iter::once(bytes.as_slice()));

        prop_assert_eq!(decoded(pieces(&bytes, &lengths)), (messages.clone(), code));
        prop_assert!(matches!(code, None | Some(1002 | 1007 | 1009)), "{:?}", code);
        prop_assert!(messages.iter().all(|message| len(message) <= LIMIT));
    }

    #[test]
    fn a_message_in_any_parts_with_any_masks_is_read_as_it_was_said(
        messages in vec((".{0,40}", vec(any::<Index>(), 0..4), any::<bool>()), 0..6),
        mask in any::<[u8; 4]>(),
        lengths in vec(1_usize..200, 1..6),
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (text, cuts, is_text) in messages {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            for (number, part) in cuts.windows(2).enumerate() {
                let end = if number + 2 == cuts.len() { 0x80 } else { 0 };
                let opcode = if number > 0 { 0 } else { 2 - u8::from(is_text) };
                let payload = text.as_bytes()[part[0]..part[1]].to_vec();
                Frame::good(end | opcode, mask, payload).write_to(&mut bytes);
                // A ping may come between two parts of a message.
                Frame::good(0x89, mask, vec![opcode]).write_to(&mut bytes);
                expected.push(Incoming::Ping(vec![opcode]));
            }
            let ping = expected.pop().unwrap();
            let binary = Message::Binary(text.clone().into_bytes());
            expected.push(Incoming::Message(if is_text { Message::Text(text) } else { binary }));
            expected.push(ping);
        }

        prop_assert_eq!(decoded(pieces(&bytes, &lengths)), (expected, None));
    }

    #[test]
    fn frames_of_any_declared_length_take_no_more_memory_than_the_limit_and_the_bytes_received(
        bytes in some_bytes(),
        lengths in vec(1_usize..200, 1..6),
    ) {
        // While a buffer grows, both the old and the new buffer exist. The new buffer may have twice the
        // needed size.
        const MOST: u64 = 6 * (LIMIT as u64 + 200) + 1000;
        let mut decoder = decoder();
        let mut is_closed = false;

        for piece in pieces(&bytes, &lengths) {
            let memory = allocation_counter::measure(|| {
                decoder.feed(piece);
                while let Ok(true) = decoder.message().map(|message| message.is_some()) {}
                is_closed = decoder.message().is_err();
            });
            prop_assert!(memory.bytes_max <= MOST, "{} bytes", memory.bytes_max);
            if is_closed {
                break;
            }
        }
    }
}

#[test]
fn a_message_that_never_ends_is_refused_before_it_takes_more_than_its_limit() {
    let mut endless = Vec::new();
    Frame::good(0x02, [1, 2, 3, 4], vec![0; 100]).write_to(&mut endless);
    let mut more = Vec::new();
    Frame::good(0x00, [1, 2, 3, 4], vec![0; 100]).write_to(&mut more);
    let mut decoder = decoder();
    decoder.feed(&endless);

    let taken = (0..2 * LIMIT).take_while(|_| {
        decoder.feed(&more);
        matches!(decoder.message(), Ok(None))
    });

    assert_eq!(taken.count(), LIMIT / 100 - 1);
}
