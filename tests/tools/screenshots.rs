//! `make screenshots`: the program itself over the simulated fleet, on a terminal; every picture is what its own key for saving the
//! screen wrote.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "pty.rs"]
mod pty;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use pty::Console;

/// A picture: what it is called, in which theme, how large, and what is done before: a text is typed once what stands before it is seen.
struct Picture {
    name: &'static str,
    theme: &'static str,
    size: (u16, u16),
    steps: &'static [Step],
}

enum Step {
    /// Type this.
    Keys(&'static str),
    /// Wait until this is on the screen.
    Sees(&'static str),
    /// Let the fleet go on: figures and lines come with time.
    Lives(u64),
}

use Step::{Keys, Lives, Sees};

const LARGE: (u16, u16) = (140, 36);

const PICTURES: [Picture; 12] = [
    Picture { name: "versions", theme: "harbor", size: LARGE, steps: &[] },
    Picture { name: "versions-light", theme: "harbor-light", size: LARGE, steps: &[] },
    Picture { name: "versions-80x24", theme: "harbor", size: (80, 24), steps: &[] },
    Picture { name: "containers", theme: "harbor", size: LARGE, steps: &[Keys("2"), Lives(2)] },
    Picture { name: "hosts", theme: "fjord", size: LARGE, steps: &[Keys("3"), Lives(4)] },
    Picture { name: "logs", theme: "harbor", size: LARGE, steps: &[Keys("l"), Lives(6)] },
    Picture { name: "resources", theme: "harbor", size: LARGE, steps: &[Keys("5"), Lives(40)] },
    Picture { name: "events", theme: "harbor", size: LARGE, steps: &[Keys("8"), Lives(2)] },
    Picture { name: "triage", theme: "harbor", size: LARGE, steps: &[Keys("9"), Lives(4)] },
    Picture { name: "confirm", theme: "harbor", size: LARGE, steps: &[Keys("s"), Sees("restart"), Keys("r"), Lives(1)] },
    Picture { name: "palette", theme: "ember", size: LARGE, steps: &[Keys(":"), Lives(1)] },
    Picture { name: "inspect", theme: "harbor", size: LARGE, steps: &[Keys("2"), Lives(1), Keys("i"), Lives(2)] },
];

/// `f12`, as terminals send it.
const SAVE: &str = "\x1b[24~";

fn main() {
    let program = PathBuf::from(std::env::args().nth(1).expect("the program, as the first argument")).canonicalize().unwrap();
    let out = std::env::current_dir().unwrap().join("screenshots");
    std::fs::create_dir_all(&out).unwrap();
    let home = tempfile::tempdir().unwrap();
    for picture in &PICTURES {
        let place = home.path().join(picture.name);
        std::fs::create_dir_all(&place).unwrap();
        std::env::set_current_dir(&place).unwrap();
        draw(&program, picture, &place, &out.join(format!("{}.svg", picture.name)));
        println!("screenshots/{}.svg", picture.name);
    }
}

fn draw(program: &Path, picture: &Picture, place: &Path, out: &Path) {
    let config = place.join("quarterdeck");
    std::fs::create_dir_all(config.join("keymaps")).unwrap();
    std::fs::write(config.join("config.toml"), format!("theme = {:?}\n", picture.theme)).unwrap();
    // A key that is no letter, for screens in which letters are typed text.
    let keys = "inherits = \"default\"\n[global]\n\"f12\" = \"screen.save\"\n";
    std::fs::write(config.join("keymaps/default.toml"), keys).unwrap();
    let home = format!("XDG_CONFIG_HOME={}", place.to_str().unwrap());
    let state = place.join("state");
    let command = ["/usr/bin/env", &home, program.to_str().unwrap(), "--sim=harbor", "--state", state.to_str().unwrap()];
    let mut console = Console::start(&command, picture.size.0, picture.size.1, "xterm-256color");
    console.expect("SIMULATED");
    console.run(Duration::from_secs(3));
    for step in picture.steps {
        match step {
            Keys(keys) => console.send(keys.as_bytes()),
            Sees(text) => console.expect(text),
            Lives(seconds) => console.run(Duration::from_secs(*seconds)),
        }
    }
    console.send(SAVE.as_bytes());
    console.expect("saved quarterdeck-");
    let saved = std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    let svg = saved.into_iter().find(|path| path.extension().is_some_and(|ext| ext == "svg")).expect("a picture");
    std::fs::copy(svg, out).unwrap();
    console.signal(rustix::process::Signal::TERM);
    console.exit(Duration::from_secs(10));
}
