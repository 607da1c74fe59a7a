//! How the program is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    // The relocations of a position-independent program in their packed form: read whole at every start, they would be a megabyte of
    // resident memory.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
}
