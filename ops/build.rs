//! Rebuilds the library when a migration is added or changed: the migrations are embedded in it.

fn main() {
    println!("cargo:rerun-if-changed=../migrations");
}
