//! What the terminal can show: how many colours, which characters; and colours brought down to that. Pure: the
//! environment is an argument, and the terminal is never asked (a silent one would cost seconds).

use ratatui::style::Color;

use super::symbol::SymbolSet;

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: `NO_COLOR`, or a terminal without them.
    None,
    /// The 16 of ANSI, whose shades the person chose.
    Ansi16,
    /// The 256 of xterm.
    Indexed256,
    /// 24 bits.
    True,
}

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Its colours.
    pub depth: Depth,
    /// Its characters.
    pub symbols: SymbolSet,
}

impl Capabilities {
    /// Reads them from the environment (<https://no-color.org>, `COLORTERM`, `TERM`, the locale).
    pub fn detect(var: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")).unwrap_or_default().to_lowercase();
        // The font of the Linux console has few of the signs, whatever the locale says.
        let unicode = (locale.contains("utf-8") || locale.contains("utf8")) && term != "linux";
        let depth = if set("NO_COLOR").is_some() { Depth::None } else { depth(&term, &set("COLORTERM").unwrap_or_default()) };
        Self { depth, symbols: if unicode { SymbolSet::Unicode } else { SymbolSet::Ascii } }
    }
}

fn depth(term: &str, colorterm: &str) -> Depth {
    const TRUE: &[&str] = &["direct", "kitty", "alacritty", "wezterm", "ghostty", "foot", "contour"];
    match () {
        () if matches!(term, "" | "dumb") || term.starts_with("vt1") || term.starts_with("vt2") => Depth::None,
        () if term == "linux" => Depth::Ansi16,
        () if matches!(colorterm, "truecolor" | "24bit") || TRUE.iter().any(|word| term.contains(word)) => Depth::True,
        () if term.contains("256color") => Depth::Indexed256,
        () => Depth::Ansi16,
    }
}

/// The levels of one channel in xterm's colour cube.
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// xterm's defaults for the 16 colours, in index order, to measure distances; what the person sees may differ.
const ANSI: [(u8, u8, u8, Color); 16] = [
    (0, 0, 0, Color::Black),
    (205, 0, 0, Color::Red),
    (0, 205, 0, Color::Green),
    (205, 205, 0, Color::Yellow),
    (0, 0, 238, Color::Blue),
    (205, 0, 205, Color::Magenta),
    (0, 205, 205, Color::Cyan),
    (229, 229, 229, Color::Gray),
    (127, 127, 127, Color::DarkGray),
    (255, 0, 0, Color::LightRed),
    (0, 255, 0, Color::LightGreen),
    (255, 255, 0, Color::LightYellow),
    (92, 92, 255, Color::LightBlue),
    (255, 0, 255, Color::LightMagenta),
    (0, 255, 255, Color::LightCyan),
    (255, 255, 255, Color::White),
];

impl Depth {
    /// `color` as a terminal of this depth can show it.
    pub fn show(self, color: Color) -> Color {
        match (self, color) {
            (Self::None, _) => Color::Reset,
            (Self::Indexed256, Color::Rgb(r, g, b)) => Color::Indexed(indexed(r, g, b)),
            (Self::Ansi16, Color::Rgb(r, g, b)) => ansi(r, g, b),
            (Self::Ansi16 | Self::Indexed256 | Self::True, other) => other,
        }
    }
}

fn distance(a: (u8, u8, u8), b: (u8, u8, u8)) -> i32 {
    let square = |x: u8, y: u8| (i32::from(x) - i32::from(y)).pow(2);
    // Weighted as the eye weighs the channels.
    3 * square(a.0, b.0) + 6 * square(a.1, b.1) + square(a.2, b.2)
}

fn indexed(r: u8, g: u8, b: u8) -> u8 {
    let step = |value: u8| (0u8..6).min_by_key(|index| CUBE[usize::from(*index)].abs_diff(value)).unwrap_or(0);
    let (x, y, z) = (step(r), step(g), step(b));
    let cube = (CUBE[usize::from(x)], CUBE[usize::from(y)], CUBE[usize::from(z)]);
    let mean = ((u16::from(r) + u16::from(g) + u16::from(b)) / 3) as i32;
    let shade = ((mean - 8 + 5) / 10).clamp(0, 23) as u8;
    let grey = 8 + 10 * shade;
    match distance((r, g, b), cube) <= distance((r, g, b), (grey, grey, grey)) {
        true => 16 + 36 * x + 6 * y + z,
        false => 232 + shade,
    }
}

fn ansi(r: u8, g: u8, b: u8) -> Color {
    ANSI.iter().min_by_key(|(x, y, z, _)| distance((r, g, b), (*x, *y, *z))).map_or(Color::Reset, |(_, _, _, color)| *color)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides() {
        use {Depth as D, SymbolSet as S};
        type Environment = &'static [(&'static str, &'static str)];
        let cases: &[(Environment, D, S)] = &[
            (&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), ("LANG", "en_US.UTF-8")], D::True, S::Unicode),
            (&[("TERM", "xterm-256color"), ("LANG", "C.utf8")], D::Indexed256, S::Unicode),
            (&[("TERM", "tmux-256color"), ("LANG", "C")], D::Indexed256, S::Ascii),
            (&[("TERM", "xterm"), ("LANG", "de_DE.UTF-8")], D::Ansi16, S::Unicode),
            (&[("TERM", "linux"), ("LANG", "de_DE.UTF-8"), ("COLORTERM", "truecolor")], D::Ansi16, S::Ascii),
            (&[("TERM", "xterm-kitty"), ("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")], D::True, S::Ascii),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", "1"), ("LANG", "C.UTF-8")], D::None, S::Unicode),
            (&[("TERM", "xterm-256color"), ("NO_COLOR", ""), ("LANG", "C.UTF-8")], D::Indexed256, S::Unicode),
            (&[("TERM", "dumb"), ("COLORTERM", "truecolor")], D::None, S::Ascii),
            (&[], D::None, S::Ascii),
        ];
        for (env, depth, symbols) in cases {
            let found = Capabilities::detect(|name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()));
            assert_eq!(found, Capabilities { depth: *depth, symbols: *symbols }, "{env:?}");
        }
    }

    #[test]
    fn colours_come_down_to_the_nearest() {
        assert_eq!(Depth::Indexed256.show(Color::Rgb(255, 0, 0)), Color::Indexed(196));
        assert_eq!(Depth::Indexed256.show(Color::Rgb(18, 18, 18)), Color::Indexed(233));
        assert_eq!(Depth::Indexed256.show(Color::Rgb(255, 255, 255)), Color::Indexed(231));
        assert_eq!(Depth::Ansi16.show(Color::Rgb(250, 20, 10)), Color::LightRed);
        assert_eq!(Depth::Ansi16.show(Color::Yellow), Color::Yellow);
        assert_eq!(Depth::True.show(Color::Rgb(1, 2, 3)), Color::Rgb(1, 2, 3));
        assert_eq!(Depth::None.show(Color::Red), Color::Reset);
    }
}
