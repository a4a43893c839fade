//! Ids. An instance id is a UUID v7 whose first ten random bits are its bucket, so that any node
//! finds the bucket of an id without asking anybody.

use jiff::Timestamp;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use uuid::Uuid;

use crate::bucket::{BUCKETS, Bucket};

/// Id of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceId(pub Uuid);

impl InstanceId {
    /// Builds an id from its three parts. `entropy` must be unpredictable for instances started
    /// from outside, and derived for children (so that a repeated step names the same child).
    #[must_use]
    pub fn new(bucket: Bucket, at: Timestamp, entropy: [u8; 8]) -> Self {
        let millis = u64::try_from(at.as_millisecond()).unwrap_or(0).to_be_bytes();
        let [_, _, m0, m1, m2, m3, m4, m5] = millis;
        let [b0, b1] = (bucket.0 << 2).to_be_bytes();
        let [e0, e1, e2, e3, e4, e5, e6, e7] = entropy;
        Self(Uuid::from_bytes([
            m0,
            m1,
            m2,
            m3,
            m4,
            m5, //
            0x70 | (b0 & 0x0f),
            b1 | (e0 & 0x03), //
            0x80 | (e0 >> 2),
            e1,
            e2,
            e3,
            e4,
            e5,
            e6,
            e7,
        ]))
    }

    /// The bucket written in the id.
    #[must_use]
    pub fn bucket(self) -> Bucket {
        let [_, _, _, _, _, _, high, low, ..] = *self.0.as_bytes();
        Bucket((u16::from_be_bytes([high & 0x0f, low]) >> 2) % BUCKETS)
    }
}

impl std::fmt::Display for InstanceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads a counter as a number, or as the text it becomes as the key of a JSON object: inside an
/// internally tagged enum serde has forgotten that a text was a key.
struct Counter;

impl Visitor<'_> for Counter {
    type Value = i64;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<i64, E> {
        i64::try_from(number).map_err(E::custom)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i64, E> {
        text.parse().map_err(E::custom)
    }
}

macro_rules! counter_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
                source.deserialize_any(Counter).map(Self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter_id! {
    /// An active task of an instance; unique within the instance, never reused.
    FrameId
}
counter_id! {
    /// A timer; unique within the instance, never reused (re-arming makes a new one).
    TimerId
}
counter_id! {
    /// An open wait; unique within the instance, never reused.
    WaitId
}
counter_id! {
    /// A lock an instance holds or waits for.
    LockId
}
counter_id! {
    /// One attempt or look-up of a call; unique within the instance, never reused.
    CallId
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn counters_are_read_back_as_keys_inside_a_tagged_enum() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        enum Tagged {
            Open { waits: BTreeMap<WaitId, usize>, last: WaitId },
        }
        let value = Tagged::Open { waits: BTreeMap::from([(WaitId(7), 0)]), last: WaitId(-7) };
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<Tagged>(&text).unwrap(), value);
        for wrong in ["\"x\"", "1.5", "18446744073709551615", "null"] {
            assert!(serde_json::from_str::<WaitId>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_bucket_is_readable_from_the_id_and_ids_are_ordered_by_time() {
        let early = Timestamp::from_millisecond(1_700_000_000_000).unwrap();
        let late = Timestamp::from_millisecond(1_700_000_000_001).unwrap();
        for bucket in 0..BUCKETS {
            for entropy in [[0; 8], [0xff; 8], [0xa5; 8]] {
                let id = InstanceId::new(Bucket(bucket), early, entropy);
                assert_eq!(id.bucket(), Bucket(bucket));
                assert_eq!(id.0.get_version_num(), 7);
                assert_eq!(id.0.get_variant(), uuid::Variant::RFC4122);
                assert!(id < InstanceId::new(Bucket(0), late, [0; 8]));
            }
        }
    }
}
