//! Rebuilds the crate when a migration is added: the embedded list is made at compile time.

fn main() {
    println!("cargo:rerun-if-changed=../../migrations");
}
