//! Rebuilds when a mail template is added: the embedding macro only notices changed files.

fn main() {
    println!("cargo:rerun-if-changed=../workflows");
}
