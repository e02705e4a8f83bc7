//! Temporary.
#![allow(clippy::all, clippy::print_stdout, clippy::unwrap_used)]
use std::io::BufRead;
fn main() {
    for line in std::io::stdin().lock().lines() {
        let line = line.unwrap();
        let v: Vec<String> = serde_json::from_str(&line).unwrap();
        let r = match countersign_core::Msisdn::parse(&v[0], &v[1]) {
            Ok(m) => (true, m.as_str().to_owned(), m.country()),
            Err(e) => (false, e.to_string(), None),
        };
        println!("{}", serde_json::to_string(&r).unwrap());
    }
}
