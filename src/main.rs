//! argv → cli or console; nothing else.

fn main() {
    let exit = quarterdeck::cli::run();
    // Not a return: a thread may hang in a write to a terminal that does not read, and nothing may wait for it.
    std::process::exit(exit.0);
}
