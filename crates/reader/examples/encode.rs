fn main() {
    let e = tactful_reader::Encoder::load(include_bytes!("../../../models/encoder.bin")).unwrap();
    let t = "what are some good hikes near boulder for a weekend with my two young kids please";
    println!("{} tokens", e.tokens(t).len());
    for _ in 0..5 {
        let n = std::time::Instant::now();
        for _ in 0..200 { std::hint::black_box(e.encode(t)); }
        println!("{:?} a text", n.elapsed() / 200);
    }
}
