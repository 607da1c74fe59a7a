use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, layout::Rect};

use super::{
    help::Help,
    palette::{Opened, Palette, Place},
    *,
};
use crate::{
    action::{Action, Context, Selected},
    fleet::HostId,
    ui::{
        keymap::{self, Key, Keymap, Pending, Press},
        theme::{self, Capabilities, Depth, Role, SymbolSet, Theme},
    },
};

const SIZES: [(u16, u16); 2] = [(80, 24), (160, 50)];

fn themes() -> [Theme; 2] {
    let load = |name, depth, symbols| {
        let (theme, error) = theme::load(name, None, Capabilities { depth, symbols });
        assert_eq!(error, None);
        theme
    };
    [load("harbor", Depth::True, SymbolSet::Unicode), load("mono", Depth::None, SymbolSet::Ascii)]
}

fn keys(name: &str) -> Keymap {
    keymap::load(name, None).0
}

fn paint(size: (u16, u16), draw: impl Fn(Rect, &mut Buffer)) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw(frame.area(), frame.buffer_mut())).unwrap();
    terminal
}

fn each(name: &str, draw: impl Fn(Rect, &mut Buffer, &Theme)) {
    for theme in themes() {
        for size in SIZES {
            let terminal = paint(size, |area, buf| draw(area, buf, &theme));
            insta::assert_snapshot!(format!("{name}-{}-{}x{}", theme.name(), size.0, size.1), terminal.backend());
        }
    }
}

fn palette(panel: Context, selected: Selected, typed: &str) -> Palette {
    let to = Destination::Host(HostId::new("app-03"));
    let places = vec![Place { name: "app-03".to_owned(), detail: "host, live".to_owned(), to }];
    let mut palette = Palette::open(Opened { panel, read_only: true, selected }, places);
    for c in typed.chars() {
        palette.type_key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
    }
    palette
}

#[test]
fn the_palette_finds_by_name_and_by_what_it_does() {
    use Context::Containers;
    assert_eq!(palette(Containers, Selected::Container, "copyid").act(Action::SelectionOpen), LayerOutcome::Run(Action::SelectionCopyId));
    assert_eq!(
        palette(Containers, Selected::Nothing, "youngest").act(Action::SelectionOpen),
        LayerOutcome::Run(Action::ContainersSortByAge)
    );
    assert_eq!(
        palette(Containers, Selected::Nothing, "app03").act(Action::SelectionOpen),
        LayerOutcome::Go(Destination::Host(HostId::new("app-03")))
    );
    assert_eq!(palette(Containers, Selected::Nothing, "zzzz").act(Action::SelectionOpen), LayerOutcome::Stay);
}

#[test]
fn the_palette_does_not_run_what_it_greys_and_wraps_around() {
    let mut greyed = palette(Context::Hosts, Selected::Nothing, "copy-id");
    assert_eq!(greyed.act(Action::SelectionOpen), LayerOutcome::Stay);
    assert_eq!(greyed.act(Action::ListMoveUp), LayerOutcome::Stay);
    assert_eq!(greyed.act(Action::LayerClose), LayerOutcome::Close);
    assert_eq!(greyed.act(Action::MouseToggle), LayerOutcome::Pass);
    let mut palette = palette(Context::Hosts, Selected::Nothing, "");
    palette.act(Action::ListMoveUp);
    assert_eq!(palette.act(Action::SelectionOpen), LayerOutcome::Go(Destination::Host(HostId::new("app-03"))));
}

/// The way every key takes: the keymap first, and what it does not want is typed.
#[test]
fn keys_reach_the_palette_through_the_keymap() {
    let keymap = keys("default");
    let contexts = Context::focus(Context::Containers, Some(Context::Palette));
    let mut open = palette(Context::Containers, Selected::Container, "");
    let mut pending = Pending::default();
    let mut outcome = LayerOutcome::Stay;
    let typed = "qcopyidx".chars().map(KeyCode::Char);
    let typed = typed.chain([KeyCode::Backspace, KeyCode::Home, KeyCode::Delete, KeyCode::Enter]);
    for event in typed.map(|code| KeyEvent::new(code, KeyModifiers::NONE)) {
        outcome = match keymap.press(&mut pending, &contexts, Key::from(event)) {
            Press::Action(action) => open.act(action),
            Press::Unbound => open.type_key(event),
            Press::Pending(_) | Press::Aborted => panic!("{event:?} began a chord"),
        };
    }
    assert_eq!(outcome, LayerOutcome::Run(Action::SelectionCopyId));
}

#[test]
fn palette_screens() {
    let keymap = keys("default");
    let open = palette(Context::Containers, Selected::Nothing, "");
    each("palette", |area, buf, theme| open.render(area, buf, theme, &keymap));
    let typed = palette(Context::Hosts, Selected::Host, "copy");
    each("palette-typed", |area, buf, theme| typed.render(area, buf, theme, &keymap));
}

#[test]
fn help_screens() {
    let keymap = keys("k9s");
    let help = Help::open(&keymap, Context::Containers, None);
    each("help", |area, buf, theme| help.render(area, buf, theme, &keymap));
    let mut found = Help::open(&keymap, Context::Containers, None);
    found.act(Action::FilterEdit);
    for c in "sort".chars() {
        found.type_key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
    }
    each("help-search", |area, buf, theme| found.render(area, buf, theme, &keymap));
}

#[test]
fn help_steps_out_of_its_search_before_it_closes() {
    let keymap = keys("default");
    let mut help = Help::open(&keymap, Context::Versions, None);
    assert_eq!(help.context(), Context::Help);
    assert_eq!(help.type_key(KeyEvent::new(KeyCode::Char('x'), KeyModifiers::NONE)), LayerOutcome::Pass);
    help.act(Action::FilterEdit);
    assert_eq!(help.context(), Context::Filter);
    assert_eq!(help.act(Action::LayerClose), LayerOutcome::Stay);
    assert_eq!(help.act(Action::LayerClose), LayerOutcome::Close);
}

#[test]
fn which_key_screens() {
    let keymap = keys("default");
    let mut pending = Pending::default();
    let Press::Pending(menu) = keymap.press(&mut pending, &[Context::Versions, Context::Global], Key::parse("y").unwrap()) else {
        panic!("y is no chord");
    };
    each("which-key", |area, buf, theme| which_key::render(&pending, &menu, area, buf, theme));
}

#[test]
fn colours_come_from_roles() {
    let keymap = keys("default");
    let [theme, _] = themes();
    let typed = palette(Context::Hosts, Selected::Host, "copy");
    let terminal = paint((80, 24), |area, buf| typed.render(area, buf, &theme, &keymap));
    let buffer = terminal.backend().buffer();
    let styles: Vec<_> = buffer.content().iter().map(|cell| cell.fg).collect();
    for role in [Role::MatchText, Role::HintDenied, Role::LayerRule, Role::LayerTitle] {
        assert!(theme.style(role).fg.is_some_and(|fg| styles.contains(&fg)), "{} is not on the screen", role.id());
    }
    assert!(buffer.content().iter().any(|cell| Some(cell.bg) == theme.style(Role::LayerCursor).bg));
}

#[test]
fn no_size_is_too_small() {
    let keymap = keys("default");
    let [theme, _] = themes();
    let open = palette(Context::Containers, Selected::Container, "a");
    let help = Help::open(&keymap, Context::Containers, None);
    let menu = vec![keymap::MenuEntry { key: "y".to_owned(), action: None, doc: "more".to_owned() }];
    for width in 1..40 {
        for height in 1..12 {
            paint((width, height), |area, buf| {
                open.render(area, buf, &theme, &keymap);
                help.render(area, buf, &theme, &keymap);
                which_key::render(&Pending::default(), &menu, area, buf, &theme);
            });
        }
    }
}
