use std::time::Instant;
fn main() {
    let t = Instant::now();
    let e =
        tactful_reader::Encoder::load(include_bytes!("../../../models/use-multilingual-v3.bin"))
            .unwrap();
    println!("load {:?}", t.elapsed());
    let texts: Vec<String> = include_str!("../../../training/authored/interests.tsv")
        .lines()
        .map(|l| l.split('\t').nth(1).unwrap().to_owned())
        .collect();
    let t = Instant::now();
    let mut n = 0;
    for x in &texts {
        n += e.tokens(x).len();
    }
    println!(
        "{} texts, {:.1} tokens each, tokenise {:.0}/s",
        texts.len(),
        n as f64 / texts.len() as f64,
        texts.len() as f64 / t.elapsed().as_secs_f64()
    );
    for _ in 0..3 {
        let t = Instant::now();
        let mut s = 0.0;
        for x in &texts {
            s += e.encode(x)[0];
        }
        println!("{:.0}/s {s}", texts.len() as f64 / t.elapsed().as_secs_f64());
    }
}
