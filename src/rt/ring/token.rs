//! What a completion is about, packed into the 64 bits that the kernel hands back. It owns nothing and looks nothing up.

use super::slab::Key;

/// The kind of operation that a completion ends or continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Op {
    /// The answer to a cancellation or a removal; never of interest.
    Ignore = 0,
    /// A multishot accept on a listener.
    Accept = 1,
    /// A multishot receive on a socket.
    Receive = 2,
    /// A send that must finish within its submission, silent on success.
    SendNow = 3,
    /// A send that owns its bytes until it completes.
    SendRest = 4,
    /// A connect.
    Connect = 5,
    /// The standing millisecond tick of a hot ring.
    Tick = 6,
    /// The single time-out that ends a park.
    Alarm = 7,
    /// The doorbell's eventfd.
    Bell = 8,
}

impl Op {
    fn from_bits(bits: u8) -> Op {
        match bits {
            1 => Op::Accept,
            2 => Op::Receive,
            3 => Op::SendNow,
            4 => Op::SendRest,
            5 => Op::Connect,
            6 => Op::Tick,
            7 => Op::Alarm,
            8 => Op::Bell,
            _ => Op::Ignore,
        }
    }
}

/// Operation, generation (24 bits) and slot (32 bits) as one number.
pub(crate) fn pack(op: Op, key: Key) -> u64 {
    (u64::from(op as u8) << 56)
        | (u64::from(key.generation & Key::GENERATION_MASK) << 32)
        | u64::from(key.index)
}

/// The reverse of [`pack`].
pub(crate) fn unpack(bits: u64) -> (Op, Key) {
    let [op, ..] = bits.to_be_bytes();
    let generation = u32::try_from((bits >> 32) & u64::from(Key::GENERATION_MASK)).unwrap_or(0);
    let index = u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(0);
    (Op::from_bits(op), Key { index, generation })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packing_is_reversible_for_every_operation_and_the_largest_key() {
        for bits in 0..=8u8 {
            let op = Op::from_bits(bits);
            assert_eq!(op as u8, bits);
            let key = Key {
                index: u32::MAX,
                generation: Key::GENERATION_MASK,
            };
            assert_eq!(unpack(pack(op, key)), (op, key));
            let key = Key {
                index: 0,
                generation: 1,
            };
            assert_eq!(unpack(pack(op, key)), (op, key));
        }
    }
}
