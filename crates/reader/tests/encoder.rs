//! The encoder against its reference: the same tokens, the same vectors.

use tactful_reader::{Encoder, LoadError};

const FILE: &[u8] = include_bytes!("../../../models/encoder.bin");

#[derive(serde::Deserialize)]
struct Case {
    text: String,
    ids: Vec<u32>,
    /// Thousandths.
    vector: Vec<f32>,
    evidence: [f32; 7],
}

#[test]
fn tokens_vectors_and_evidence_are_those_of_the_reference() {
    let encoder = Encoder::load(FILE).unwrap();
    let cases: Vec<Case> = include_str!("encoder.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(cases.len() >= 400);
    let (mut squares, mut count) = (0.0, 0.0);
    for Case { text, ids, vector, evidence } in cases {
        assert_eq!(encoder.tokens(&text), ids, "{text:?}");
        let ours = encoder.encode(&text);
        let length = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
        let cosine = ours.vector.iter().zip(&vector).map(|(a, b)| a * b).sum::<f32>() / length;
        assert!(cosine > 0.998, "{text:?}: {cosine}");
        for (ours, reference) in ours.evidence.iter().zip(&evidence) {
            let apart = (ours - reference).abs();
            assert!(apart < 0.8, "{text:?}: {apart}");
            squares += apart * apart;
            count += 1.0;
        }
    }
    // Log-odds of up to ten: by rounding to 8 bits a hundredth of that.
    assert!(squares / count < 0.01, "{}", squares / count);
}

#[test]
fn a_damaged_file_is_refused() {
    for cut in [0, 8, 1000, FILE.len() / 2, FILE.len() - 1] {
        assert!(Encoder::load(&FILE[..cut]).is_err());
    }
    let mut flipped = FILE.to_vec();
    flipped[FILE.len() / 2] ^= 1;
    assert_eq!(Encoder::load(&flipped).err().unwrap(), LoadError::Damaged);
}
