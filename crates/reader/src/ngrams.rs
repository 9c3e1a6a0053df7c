//! Words and pairs of words, hashed into buckets (feature hashing, Weinberger et al. 2009).

/// The bucket of a word, or of two that follow each other: FNV-1a, 32 bits, `_` between.
pub fn bucket(first: &str, second: Option<&str>, buckets: usize) -> usize {
    let mut hash = 0x811c_9dc5_u32;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        }
    };
    add(first.as_bytes());
    if let Some(second) = second {
        add(b"_");
        add(second.as_bytes());
    }
    hash as usize % buckets.max(1)
}

#[cfg(test)]
mod tests {
    use super::bucket;

    /// What `fnv` of `training/train.py` gives for the same words.
    #[test]
    fn buckets_are_those_of_the_training() {
        assert_eq!(bucket("hiking", None, 1 << 18), HIKING);
        assert_eq!(bucket("knee", Some("pain"), 1 << 18), KNEE_PAIN);
    }

    const HIKING: usize = 225_077;
    const KNEE_PAIN: usize = 173_435;
}
