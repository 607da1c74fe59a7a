//! How the program is linked.

use std::{
    env,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={LAYOUT}");
    if !env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        return;
    }
    // The relocations of a position-independent program in their packed form: read whole at every start, they would be a megabyte of
    // resident memory.
    println!("cargo:rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    // The kernel maps 64 KB of the program around each page that is touched: what every console runs lies side by side, or nearly the whole
    // program is resident.
    let layout = Path::new(&env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join(LAYOUT);
    if env::var("PROFILE").is_ok_and(|profile| profile == "release") && links(&layout) {
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", layout.display());
        // The same for texts: merged, they would lie in the order of their hashes.
        println!("cargo:rustc-link-arg-bins=-Wl,-O0");
    }
}

/// Written by `make layout`.
const LAYOUT: &str = "layout.ld";

/// Whether the linker that is in use here takes the script: not every one knows `INSERT`. Without it more of the program is resident, and
/// nothing else changes.
fn links(layout: &Path) -> bool {
    let (Some(rustc), Some(out), Ok(target)) = (env::var_os("RUSTC"), env::var_os("OUT_DIR"), env::var("TARGET")) else { return false };
    let mut probe = Command::new(rustc);
    probe.args(["--crate-name", "probe", "--target", &target, "-"]).arg("-o").arg(Path::new(&out).join("probe"));
    probe.arg("-C").arg(format!("link-arg=-Wl,-T,{}", layout.display()));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        probe.arg("-C").arg(format!("linker={linker}"));
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    probe.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    let Ok(mut child) = probe.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() else { return false };
    let told = child.stdin.take().is_some_and(|mut input| input.write_all(b"fn main() {}").is_ok());
    child.wait().is_ok_and(|status| status.success()) && told
}
