//! The built-in themes hold what they promise: readable, and told apart by every eye.

use std::collections::BTreeSet;

use ratatui::style::{Color, Modifier};

use super::*;

const TRUE: Capabilities = Capabilities { depth: Depth::True, symbols: SymbolSet::Unicode };

fn loaded(name: &str, can: Capabilities) -> Theme {
    let (theme, error) = load(name, None, can);
    assert_eq!(error, None);
    theme
}

type Rgb = [f64; 3];

/// Linear light, 0 to 1.
fn linear(color: Color) -> Option<Rgb> {
    let Color::Rgb(r, g, b) = color else { return None };
    Some([r, g, b].map(|channel| {
        let c = f64::from(channel) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    }))
}

/// WCAG 2.2 relative luminance.
fn luminance([r, g, b]: Rgb) -> f64 {
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a) + 0.05, luminance(b) + 0.05);
    a.max(b) / a.min(b)
}

/// CIE L*a*b*, D65.
fn lab([r, g, b]: Rgb) -> Rgb {
    let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
    let x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505);
    let y = f(luminance([r, g, b]));
    let z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

fn delta_e(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (lab(a), lab(b));
    a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

/// Severity 1.0 of Machado, Oliveira and Fernandes 2009, on linear light.
const EYES: [(&str, [Rgb; 3]); 4] = [
    ("normal", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    ("protan", [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    ("deutan", [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    ("tritan", [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
];

fn seen(matrix: &[Rgb; 3], color: Rgb) -> Rgb {
    matrix.map(|row| row.iter().zip(color).map(|(m, c)| m * c).sum::<f64>().clamp(0.0, 1.0))
}

fn rgb_themes() -> Vec<Theme> {
    let all = BUILT_IN.iter().map(|(name, _)| loaded(name, TRUE));
    let rgb: Vec<Theme> = all.filter(|theme| theme.style(Role::Screen).bg.and_then(linear).is_some()).collect();
    assert_eq!(rgb.len(), 6);
    rgb
}

#[test]
fn every_text_can_be_read_on_its_ground() {
    for theme in rgb_themes() {
        let floor = if theme.name() == "high-contrast" { 7.0 } else { 4.5 };
        let grounds = [Role::Screen, Role::LayerGround].map(|role| linear(theme.style(role).bg.unwrap()).unwrap());
        for role in Role::ALL.iter().copied().filter(|role| !matches!(role, Role::FrameRule | Role::LayerRule)) {
            let style = theme.style(role);
            let Some(fg) = style.fg.and_then(linear) else { continue };
            let own = style.bg.and_then(linear);
            for ground in own.map_or(grounds.to_vec(), |own| vec![own]) {
                let ratio = contrast(fg, ground);
                assert!(ratio >= floor, "{}: {} has {ratio:.2}:1, below {floor}:1", theme.name(), role.id());
            }
        }
    }
}

#[test]
fn a_coloured_word_stays_readable_under_the_cursor() {
    for theme in rgb_themes() {
        let ground = linear(theme.style(Role::TableCursor).bg.unwrap()).unwrap();
        for role in [Role::Text, Role::StateBad, Role::StateAttention, Role::Accent] {
            let ratio = contrast(linear(theme.style(role).fg.unwrap()).unwrap(), ground);
            assert!(ratio >= 3.0, "{}: {} has {ratio:.2}:1 under the cursor", theme.name(), role.id());
        }
    }
}

#[test]
fn attention_bad_accent_and_dim_differ_for_every_eye() {
    let told = [Role::StateBad, Role::StateAttention, Role::Accent, Role::TextDim];
    for theme in rgb_themes() {
        // Signs stand with the colours everywhere; the theme made for it must also manage by colour alone.
        let floor = if theme.name() == "colour-blind" { 20.0 } else { 8.0 };
        for (eye, matrix) in &EYES {
            let colors = told.map(|role| seen(matrix, linear(theme.style(role).fg.unwrap()).unwrap()));
            for (i, a) in colors.iter().enumerate() {
                for (j, b) in colors.iter().enumerate().skip(i + 1) {
                    let delta = delta_e(*a, *b);
                    let (a, b) = (told[i].id(), told[j].id());
                    assert!(delta >= floor, "{} for a {eye} eye: {a} and {b} differ by {delta:.1}, below {floor}", theme.name());
                }
            }
        }
    }
}

#[test]
fn without_colours_weight_tells_the_states_apart() {
    let mono = loaded("harbor", Capabilities { depth: Depth::None, symbols: SymbolSet::Ascii });
    assert_eq!(mono.name(), "mono");
    let plain = |color: Option<Color>| color.is_none_or(|color| color == Color::Reset);
    assert!(Role::ALL.iter().all(|role| plain(mono.style(*role).fg) && plain(mono.style(*role).bg)));
    let states = [Role::StateBad, Role::StateAttention, Role::StateStale, Role::Accent, Role::Text];
    let distinct: BTreeSet<u16> = states.iter().map(|role| mono.style(*role).add_modifier.bits()).collect();
    assert_eq!(distinct.len(), states.len());
    assert!(mono.style(Role::TableCursor).add_modifier.contains(Modifier::REVERSED));
}

#[test]
fn sixteen_colours_get_the_theme_made_for_them() {
    let sixteen = Capabilities { depth: Depth::Ansi16, symbols: SymbolSet::Unicode };
    assert_eq!(loaded("fjord", sixteen).name(), "ansi16");
    assert_eq!(loaded("mono", sixteen).name(), "mono");
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine.toml"), "inherits = \"harbor\"\n[roles]\n\"accent\" = \"#ff0000\"").unwrap();
    let (mine, error) = load("mine", Some(dir.path()), sixteen);
    assert_eq!((mine.name(), error), ("mine", None));
    assert_eq!(mine.style(Role::Accent).fg, Some(Color::LightRed));
    let no_rgb = |theme: &Theme| Role::ALL.iter().all(|role| !matches!(theme.style(*role).fg, Some(Color::Rgb(..))));
    assert!(no_rgb(&mine) && no_rgb(&loaded("harbor", Capabilities { depth: Depth::Indexed256, symbols: SymbolSet::Unicode })));
}

#[test]
fn roles_fall_back_by_dots_and_a_file_extends_its_namesake() {
    let dir = tempfile::tempdir().unwrap();
    let text =
        "inherits = \"harbor\"\n[palette]\nsea = \"#123456\"\n[roles]\n\"inspect.key\" = \"sea\"\n[symbols]\nbad = \"x\"\nodd = \"♦\"";
    std::fs::write(dir.path().join("harbor.toml"), text).unwrap();
    let (theme, error) = load("harbor", Some(dir.path()), TRUE);
    assert_eq!(error, None);
    assert_eq!(theme.style(Role::InspectKey).fg, Some(Color::Rgb(0x12, 0x34, 0x56)));
    assert_eq!(theme.style(Role::HeaderText), theme.style(Role::Text));
    assert_eq!((theme.symbol(Symbol::Bad), theme.symbol(Symbol::Odd), theme.symbol(Symbol::Done)), ("x", "♦", "✔"));
    let (theme, _) = load("harbor", Some(dir.path()), Capabilities { symbols: SymbolSet::Ascii, ..TRUE });
    assert_eq!((theme.symbol(Symbol::Bad), theme.symbol(Symbol::Odd)), ("x", "!"));
    assert!(theme.is_ascii());
    assert_eq!((theme.fit("1.0.1-22", 4).as_ref(), theme.fit("web", 4).as_ref()), ("1.0>", "web"));
}

#[test]
fn with_an_error_comes_a_theme_that_the_terminal_can_show() {
    let (theme, error) = load("habor", None, TRUE);
    assert_eq!(theme.name(), "harbor");
    assert!(error.is_some_and(|error| error.to_string() == "theme: there is no theme \"habor\" (did you mean \"harbor\"?)"));
    let (theme, error) = load("habor", None, Capabilities { depth: Depth::Ansi16, ..TRUE });
    assert_eq!((theme.name(), error.is_some()), ("ansi16", true));
}

#[test]
fn every_sign_is_one_cell_and_every_theme_says_what_it_is() {
    for symbol in Symbol::ALL.iter().copied() {
        assert_eq!(crate::text::width(symbol.of(SymbolSet::Unicode)), 1, "{}", symbol.id());
        assert!(symbol.of(SymbolSet::Ascii).is_ascii() && symbol.of(SymbolSet::Ascii).len() == 1);
        assert_eq!(loaded("harbor", TRUE).symbol(symbol), symbol.of(SymbolSet::Unicode));
    }
    for row in listing(None) {
        assert!(row.built_in && row.error.is_none() && !row.description.is_empty(), "{}", row.name);
    }
}
