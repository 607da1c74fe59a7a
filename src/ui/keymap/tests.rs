use std::path::Path;

use super::*;
use crate::action::{
    Action as A,
    Context::{Containers, Filter, Global, Hosts, Palette, Versions},
};

fn loaded(name: &str) -> Keymap {
    let (keymap, error) = load(name, None);
    assert_eq!(error, None);
    keymap
}

fn written(dir: &Path, name: &str, text: &str) -> (Keymap, Option<String>) {
    std::fs::write(dir.join(format!("{name}.toml")), text).unwrap();
    let (keymap, error) = load(name, Some(dir));
    (keymap, error.map(|error| error.to_string()))
}

fn press(keymap: &Keymap, pending: &mut Pending, contexts: &[Context], key: &str) -> Press {
    keymap.press(pending, contexts, Key::parse(key).unwrap())
}

#[test]
fn every_built_in_keymap_loads_and_lacks_nothing() {
    for (name, _) in BUILT_IN {
        let keymap = loaded(name);
        assert_eq!(keymap.name(), *name);
        for action in [A::AppQuit, A::LayerClose, A::GlobalOpenPalette, A::GlobalOpenHelp, A::FilterEdit, A::SelectionOpen] {
            assert!(keymap.reverse(action, &[Hosts, Global]).is_some(), "{name} binds no key to {action}");
        }
    }
}

#[test]
fn a_panel_hides_the_global_key_and_a_hint_never_shows_a_hidden_one() {
    let keymap = loaded("k9s");
    let mut pending = Pending::default();
    assert_eq!(press(&keymap, &mut pending, &[Containers, Global], "S"), Press::Action(A::ContainersSortByState));
    assert_eq!(press(&keymap, &mut pending, &[Hosts, Global], "S"), Press::Action(A::ScreenSave));
    assert_eq!(keymap.reverse(A::ScreenSave, &[Hosts, Global]), Some("S"));
    assert_eq!(keymap.reverse(A::ScreenSave, &[Containers, Global]), Some("^S"));
    let hidden: Vec<_> = keymap.listed(&[Containers, Global]).into_iter().filter(|l| l.hidden_by.is_some()).collect();
    assert!(hidden.iter().any(|l| l.binding.shown == "S" && l.context == Global && l.hidden_by == Some(Containers)));
}

#[test]
fn a_chord_shows_its_menu_and_ends_in_one_meaning() {
    let keymap = loaded("default");
    let mut pending = Pending::default();
    let Press::Pending(menu) = press(&keymap, &mut pending, &[Versions, Global], "y") else { panic!("no menu") };
    assert_eq!(menu.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["y", "i", "v"]);
    assert_eq!(pending.shown(), "y");
    assert_eq!(press(&keymap, &mut pending, &[Versions, Global], "v"), Press::Action(A::SelectionCopyVersion));
    assert!(!pending.is_open());
    press(&keymap, &mut pending, &[Versions, Global], "y");
    assert_eq!(press(&keymap, &mut pending, &[Versions, Global], "q"), Press::Aborted, "q must not quit from inside a chord");
    assert_eq!(press(&keymap, &mut pending, &[Versions, Global], "%"), Press::Unbound);
}

#[test]
fn a_chord_that_two_contexts_continue_is_one_menu() {
    let dir = tempfile::tempdir().unwrap();
    let (keymap, error) =
        written(dir.path(), "mine", "inherits = \"default\"\n[hosts]\n\"y h\" = \"link.retry\"\n\"R x\" = \"link.retry\"");
    assert_eq!(error, None);
    let mut pending = Pending::default();
    let Press::Pending(menu) = press(&keymap, &mut pending, &[Hosts, Global], "y") else { panic!("no menu") };
    assert_eq!(menu.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), ["h", "y", "i", "v"]);
    assert_eq!(press(&keymap, &mut pending, &[Hosts, Global], "i"), Press::Action(A::SelectionCopyId));
    assert!(matches!(press(&keymap, &mut pending, &[Hosts, Global], "R"), Press::Pending(_)), "the nearer chord hides the farther key");
    assert_eq!(keymap.reverse(A::LinkRetry, &[Hosts, Global]), Some("y h"));
}

#[test]
fn in_a_text_layer_plain_characters_are_text_and_the_rest_still_works() {
    let keymap = loaded("default");
    let mut pending = Pending::default();
    for text in ["q", "?", "space", "1", "T", "backspace", "left", "home", "ctrl-u"] {
        assert_eq!(press(&keymap, &mut pending, &[Filter, Global], text), Press::Unbound, "{text}");
    }
    assert_eq!(press(&keymap, &mut pending, &[Filter, Global], "ctrl-c"), Press::Action(A::AppQuit));
    assert_eq!(press(&keymap, &mut pending, &[Palette, Global], "ctrl-p"), Press::Action(A::ListMoveUp));
    assert_eq!(keymap.reverse(A::AppQuit, &[Filter, Global]), Some("^C"));
    assert_eq!(keymap.reverse(A::FilterClear, &[Filter, Global]), None);
    let vim = loaded("vim");
    assert_eq!(press(&vim, &mut pending, &[Palette, Global], "ctrl-k"), Press::Action(A::ListMoveUp), "the layer's own binding holds");
    assert_eq!(press(&vim, &mut pending, &[Filter, Global], "ctrl-d"), Press::Unbound, "delete, not page down");
}

#[test]
fn vim_and_k9s_take_over_keys_of_the_keymap_they_inherit() {
    let mut pending = Pending::default();
    let vim = loaded("vim");
    assert!(matches!(press(&vim, &mut pending, &[Containers, Global], "g"), Press::Pending(_)));
    assert_eq!(press(&vim, &mut pending, &[Containers, Global], "g"), Press::Action(A::ListMoveFirst));
    assert_eq!(press(&vim, &mut pending, &[Versions, Global], "l"), Press::Action(A::ListMoveRight));
    let k9s = loaded("k9s");
    assert_eq!(press(&k9s, &mut pending, &[Containers, Global], "y"), Press::Action(A::SelectionInspect));
    assert_eq!(k9s.reverse(A::SelectionCopyId, &[Containers, Global]), None, "y y went with the y it began with");
}

#[test]
fn a_persons_file_extends_the_built_in_one_of_the_same_name() {
    let dir = tempfile::tempdir().unwrap();
    let (keymap, error) = written(dir.path(), "vim", "inherits = \"vim\"\n[global]\n\"X\" = \"app.quit\"\n\"q\" = false");
    assert_eq!(error, None);
    let mut pending = Pending::default();
    assert_eq!(press(&keymap, &mut pending, &[Hosts, Global], "X"), Press::Action(A::AppQuit));
    assert_eq!(press(&keymap, &mut pending, &[Hosts, Global], "q"), Press::Unbound);
    assert_eq!(press(&keymap, &mut pending, &[Hosts, Global], "h"), Press::Action(A::ListMoveLeft));
    assert_eq!(names(Some(dir.path())), ["default", "vim", "k9s"]);
}

#[test]
fn with_an_error_comes_the_default_keymap() {
    let dir = tempfile::tempdir().unwrap();
    let (keymap, error) = written(dir.path(), "mine", "[global]\n\"x\" = \"app.quitt\"");
    assert_eq!(keymap.name(), "default");
    assert!(error.is_some_and(|error| error.ends_with("mine.toml:2: unknown action \"app.quitt\" (did you mean \"app.quit\"?)")));
    let (keymap, error) = load("vimm", None);
    assert_eq!(keymap.name(), "default");
    assert_eq!(error.unwrap().to_string(), "keymap: there is no keymap \"vimm\" (did you mean \"vim\"?)");
    let (_, error) = load("zzz", None);
    assert_eq!(error.unwrap().to_string(), "keymap: there is no keymap \"zzz\": known are default, vim, k9s");
    let (_, error) = load("../default", Some(dir.path()));
    assert!(error.is_some(), "a name is no path");
}

#[test]
fn two_files_that_inherit_each_other_are_a_circle() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("b.toml"), "inherits = \"a\"").unwrap();
    let (_, error) = written(dir.path(), "a", "inherits = \"b\"");
    let error = error.unwrap();
    assert!(error.ends_with("b.toml:1: inherits \"a\", which inherits this keymap: a circle"), "{error}");
}

#[test]
fn the_listings_name_every_action() {
    let keymap = loaded("default");
    let rows = listing(&keymap);
    let table = markdown(&keymap);
    for action in A::ALL {
        assert!(rows.iter().any(|row| row.action == action.id()), "{action}");
        assert!(table.contains(&format!("| `{action}` |")), "{action}");
    }
    assert!(table.contains("| `app.quit` | `q` `^C` | global | Leave the console. |"));
}
