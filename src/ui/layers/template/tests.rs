//! Every stage of the layer as a person sees it, and what keys do there.

use std::path::PathBuf;

use crossterm::event::{KeyCode, KeyModifiers};

use super::*;
use crate::{
    board::{
        News,
        edit::{Draft, Home, Written},
    },
    delivery::template::{Surroundings, Template, explain},
    ui::{
        fixture::{Scene, text},
        keymap,
        panel::{Refresh, Selection},
        screen::Screen,
    },
};

const FULL: &str = include_str!("../../../delivery/template/full.toml");

fn reading_of(source: &str, home: Home) -> Arc<Reading> {
    let file = PathBuf::from("/srv/shop/quarterdeck.toml");
    let template = Template::parse(&file, source).unwrap_or_else(|faults| panic!("{faults}"));
    let sheets = template.environments.keys().map(|environment| explain(&template, environment, None).unwrap()).collect();
    let mut around = Surroundings { balancers: vec!["edge".into()], ports: Some(20_000..=29_999), ..Surroundings::default() };
    for host in ["test-01", "app-02", "app-03"] {
        around.hosts.insert(host.into(), None);
    }
    for environment in ["testing", "production"] {
        let names = ["DB_PASSWORD", "POSTGRES_PASSWORD"].map(str::to_owned).into();
        around.secrets.insert(("shop".into(), environment.into()), names);
    }
    Arc::new(Reading { app: "shop".into(), environment: None, file, home, text: source.into(), around, sheets, stale: None })
}

fn in_file() -> Arc<Reading> {
    let text = FULL.replace("approve = 1  ", "vars    = { GREETING = \"hello\", LOG = \"warn\" }  # said at the door\napprove = 1  ");
    reading_of(&text, Home::File("/srv/shop/quarterdeck.toml".into()))
}

/// A layer over production at the service web, with a template that was read.
struct Stand {
    layer: TemplateLayer,
    scene: Scene,
}

impl Stand {
    fn over(reading: Arc<Reading>) -> Self {
        let about = About::App("shop".into());
        let mut scene = Scene::drawn();
        scene.board.edit.learn(crate::board::edit::News::Read(about.clone(), Ok(reading)));
        Self { layer: TemplateLayer::open(about, Some("production".into()), Some("web".into())), scene }
    }

    fn act(&mut self, action: Action) -> LayerOutcome {
        self.layer.act(action, &self.scene.view())
    }

    fn key(&mut self, code: KeyCode) -> LayerOutcome {
        self.layer.type_key(KeyEvent::new(code, KeyModifiers::NONE), &self.scene.view())
    }

    fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.key(KeyCode::Char(c));
        }
    }

    /// In the place of what stands in the line.
    fn replace(&mut self, text: &str) {
        self.layer.type_key(KeyEvent::new(KeyCode::Char('u'), KeyModifiers::CONTROL), &self.scene.view());
        self.type_text(text);
    }

    fn tell(&mut self, news: crate::board::edit::News) {
        self.scene.board.learn(News::Edit(news));
    }

    fn painted(&mut self, size: (u16, u16)) -> Buffer {
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        self.layer.render(&mut buffer, area, &self.scene.view());
        buffer
    }

    fn shown(&mut self, size: (u16, u16)) -> String {
        text(&self.painted(size))
    }

    fn snapshot(&mut self, name: &str) {
        // What is between tabs and lower edge of a screen of 80×24 and 160×50.
        for (columns, rows) in [(80, 22), (160, 48)] {
            let text = self.shown((columns, rows));
            insta::assert_snapshot!(format!("{name}-{columns}x{}", rows + 2), text);
        }
    }

    /// Through the form to the preview; the draft that the desk is asked about.
    fn previewed(&mut self) -> Arc<Draft> {
        assert_eq!(self.act(Action::TemplateEdit), LayerOutcome::Stay);
        self.replace("good morning");
        match self.act(Action::SelectionOpen) {
            LayerOutcome::Ask(Request::Deliver(Order::Edit(crate::board::edit::Order::Preview(draft)))) => draft,
            other => panic!("{other:?}"),
        }
    }
}

const PLAN: &str = "deploy shop in production: 1.0.1-22-7e56158+0d3c1f77 in place of 1.0.1-22-7e56158+c1f09ab2, rolling\n  web: 2 change, 0 stay; new beside old; 2 serve now, at least 2 meanwhile, 2 then\n    app-02 web: replace 1.0.1-22-7e56158+c1f09ab2 (variables, no pull), 80→20003\n    app-03 web: replace 1.0.1-22-7e56158+c1f09ab2 (variables, no pull), 80→20004\n  db: stays, 1 containers\n  back on app-02: flip\n  back on app-03: flip\n";

#[test]
fn each_environment_with_what_it_says_itself() {
    let mut stand = Stand::over(in_file());
    stand.snapshot("template-sheet");
    assert_eq!(stand.act(Action::ListMoveDown), LayerOutcome::Stay);
    stand.act(Action::ListMoveLeft);
    let text = stand.shown((160, 48));
    assert!(text.contains("Template · shop in testing") && text.contains("was { lb = \"edge\""), "{text}");
    for _ in 0..2 {
        stand.act(Action::PaneNext);
    }
    assert!(stand.shown((100, 30)).contains("in testing"), "two of them: round to the first again");
    assert_eq!(stand.act(Action::LayerClose), LayerOutcome::Close);
}

#[test]
fn what_cannot_be_read_says_why() {
    let mut stand = Stand::over(in_file());
    stand.layer.about = About::App("billing".into());
    assert!(stand.shown((80, 22)).contains("reading the template"));
    let why = "the template has mistakes:\n/srv/shop/quarterdeck.toml:3:1: app: unknown key \"nme\": did you mean \"name\"?";
    stand.tell(crate::board::edit::News::Read(About::App("billing".into()), Err(why.into())));
    stand.snapshot("template-unreadable");
    assert!(matches!(stand.act(Action::TemplateEdit), LayerOutcome::Say(_)));
}

#[test]
fn who_may_only_look_is_told_why_nothing_is_changed() {
    let mut stand = Stand::over(in_file());
    stand.scene = std::mem::replace(&mut stand.scene, Scene::drawn()).read_only();
    assert_eq!(stand.act(Action::TemplateEdit), LayerOutcome::Say("template.edit is refused: a test".into()));
    assert_eq!(stand.layer.context(), Context::Template);
}

#[test]
fn a_form_judges_while_it_is_typed() {
    let mut stand = Stand::over(in_file());
    stand.act(Action::TemplateEdit);
    assert_eq!(stand.layer.context(), Context::Form);
    stand.snapshot("template-form");
    stand.replace("good morning");
    stand.act(Action::PaneNext);
    // LOG goes: then the service's own word holds.
    stand.act(Action::FormRemove);
    stand.act(Action::FormAdd);
    stand.type_text("DB_PASSWORD");
    stand.act(Action::PaneNext);
    stand.type_text("x");
    let text = stand.shown((120, 22));
    assert!(text.contains("DB_PASSWORD is a variable and a secret: one of them"), "{text}");
    assert!(text.contains("was \"hello\", for every service in production") && text.contains("then \"info\""), "{text}");
    stand.snapshot("template-form-error");
    assert!(matches!(stand.act(Action::SelectionOpen), LayerOutcome::Say(words) if words.starts_with("not yet: DB_PASSWORD: ")));
    for (name, error) in [("A B", "is no variable"), ("QD_X", "is set by the deployment"), ("GREETING", "is there already")] {
        stand.act(Action::PanePrevious);
        stand.replace(name);
        stand.act(Action::PaneNext);
        let text = stand.shown((120, 22));
        assert!(text.contains(error), "{name}: {text}");
    }
    stand.act(Action::PanePrevious);
    stand.replace("API_TOKEN");
    let text = stand.shown((120, 22));
    assert!(text.contains("looks like a secret"), "{text}");
}

#[test]
fn esc_drops_nothing_without_a_word() {
    let mut stand = Stand::over(in_file());
    stand.act(Action::TemplateEdit);
    assert_eq!(stand.act(Action::LayerClose), LayerOutcome::Stay);
    assert_eq!(stand.layer.context(), Context::Template, "nothing was changed: nothing is asked");
    stand.act(Action::TemplateEdit);
    stand.type_text("!");
    let again = LayerOutcome::Say("again: what was typed is dropped".into());
    assert_eq!(stand.act(Action::LayerClose), again);
    stand.type_text("!");
    assert_eq!(stand.act(Action::LayerClose), again, "something else was typed between");
    assert_eq!(stand.act(Action::LayerClose), LayerOutcome::Stay);
    assert_eq!(stand.layer.context(), Context::Template);
    // Typed and taken back is as if nothing was.
    stand.act(Action::TemplateEdit);
    stand.type_text("!");
    stand.key(KeyCode::Backspace);
    assert_eq!(stand.act(Action::SelectionOpen), LayerOutcome::Say("nothing was changed".into()));
    stand.act(Action::LayerClose);
    assert_eq!(stand.layer.context(), Context::Template);
}

#[test]
fn what_the_service_says_everywhere_is_overridden_and_never_taken_away() {
    let mut stand = Stand::over(reading_of(FULL, Home::File("/srv/shop/quarterdeck.toml".into())));
    stand.act(Action::TemplateEdit);
    assert!(matches!(stand.act(Action::FormRemove), LayerOutcome::Say(words) if words.contains("every environment")));
    stand.replace("debug");
    let LayerOutcome::Ask(Request::Deliver(Order::Edit(crate::board::edit::Order::Preview(draft)))) = stand.act(Action::SelectionOpen)
    else {
        panic!("no preview");
    };
    assert!(
        draft.text.contains("[environments.production.services.web]\nmemory = \"128m\"\nvars = { LOG = \"debug\" }\n"),
        "{}",
        draft.text
    );
}

#[test]
fn a_secret_in_a_template_is_on_no_screen() {
    let text = FULL.replace("vars     = { LOG = \"info\" }", "vars     = { API_TOKEN = \"hunter2-and-more\", MANY = \"a\\nb\" }");
    let mut stand = Stand::over(reading_of(&text, Home::File("/srv/shop/quarterdeck.toml".into())));
    stand.act(Action::TemplateEdit);
    assert!(!stand.shown((120, 30)).contains("hunter2"));
    stand.type_text("another-secret");
    stand.act(Action::PaneNext);
    stand.type_text("not taken");
    let LayerOutcome::Ask(Request::Deliver(Order::Edit(crate::board::edit::Order::Preview(draft)))) = stand.act(Action::SelectionOpen)
    else {
        panic!("no preview");
    };
    assert_eq!(draft.names(), "API_TOKEN");
    let text = stand.shown((120, 30));
    assert!(!text.contains("hunter2") && !text.contains("another-secret") && text.contains("••••••"), "{text}");
}

#[test]
fn a_change_is_shown_with_its_plan_and_written_once() {
    let mut stand = Stand::over(in_file());
    let draft = stand.previewed();
    assert_eq!(stand.layer.context(), Context::Confirm);
    assert_eq!(stand.key(KeyCode::Char('y')), LayerOutcome::Say("the plan is still being made".into()));
    assert_eq!(stand.act(Action::SelectionOpen), LayerOutcome::Say("y writes it".into()), "the key that opened it does not answer");
    stand.snapshot("template-preview-asking");
    stand.tell(crate::board::edit::News::Previewed(Arc::clone(&draft), Ok(PLAN.into())));
    stand.snapshot("template-preview");
    let write = LayerOutcome::Ask(Request::Deliver(Order::Edit(crate::board::edit::Order::Write(Arc::clone(&draft)))));
    assert_eq!(stand.key(KeyCode::Char('y')), write);
    assert_eq!(stand.key(KeyCode::Char('y')), LayerOutcome::Stay, "once");
    stand.tell(crate::board::edit::News::Written(Arc::clone(&draft), Ok(Written::File("/srv/shop/quarterdeck.toml".into()))));
    stand.snapshot("template-written");
    let selection = Selection::Lane { app: "shop".into(), environment: Some("production".into()) };
    assert_eq!(stand.act(Action::SelectionOpen), LayerOutcome::RunAt(Action::DeliveryApplyConfig, selection));
    assert_eq!(stand.act(Action::LayerClose), LayerOutcome::Stay);
    assert_eq!(stand.layer.context(), Context::Template);
}

#[test]
fn what_was_not_written_goes_back_to_the_form_with_everything_typed() {
    let mut stand = Stand::over(in_file());
    let draft = stand.previewed();
    let why = "host \"app-02\": connection timed out: is it up? · host \"app-03\": connection timed out";
    stand.tell(crate::board::edit::News::Previewed(Arc::clone(&draft), Err(why.into())));
    stand.key(KeyCode::Char('y'));
    let conflict = "/srv/shop/quarterdeck.toml: it has changed since it was read: nothing was written; look again";
    stand.tell(crate::board::edit::News::Written(Arc::clone(&draft), Err(conflict.into())));
    stand.snapshot("template-conflict");
    assert_eq!(stand.act(Action::LayerClose), LayerOutcome::Stay);
    assert_eq!(stand.layer.context(), Context::Form);
    assert!(stand.shown((100, 22)).contains("good morning"));
    // The desk has read it anew: what was typed stands over what is there now.
    let draft = match stand.act(Action::SelectionOpen) {
        LayerOutcome::Ask(Request::Deliver(Order::Edit(crate::board::edit::Order::Preview(draft)))) => draft,
        other => panic!("{other:?}"),
    };
    let theirs = in_file().text.replace("vars    = { GREETING = \"hello\", LOG", "vars    = { GREETING = \"theirs\", LOG");
    let now = reading_of(&theirs, Home::File("/srv/shop/quarterdeck.toml".into()));
    stand.tell(crate::board::edit::News::Previewed(Arc::clone(&draft), Ok(PLAN.into())));
    stand.key(KeyCode::Char('y'));
    stand.tell(crate::board::edit::News::Written(draft, Err(conflict.into())));
    stand.tell(crate::board::edit::News::Read(About::App("shop".into()), Ok(now)));
    stand.act(Action::LayerClose);
    let text = stand.shown((100, 22));
    assert!(text.contains("good morning") && text.contains("was \"theirs\", for every service in production"), "{text}");
    let LayerOutcome::Ask(Request::Deliver(Order::Edit(crate::board::edit::Order::Preview(draft)))) = stand.act(Action::SelectionOpen)
    else {
        panic!("no preview");
    };
    assert_eq!(*draft.text, theirs.replace("\"theirs\"", "\"good morning\""));
}

#[test]
fn a_repository_gets_a_branch_or_a_patch() {
    let home = Home::Git { source: "ssh://git@git.internal/shop".into(), branch: Some("main".into()) };
    let text = in_file().text.to_string();
    let branch = Written::Branch {
        name: "quarterdeck/shop-production-greeting".into(),
        sha: "7e561584f1c22d0a91c2f3b00aa51be0aa90ccf1".into(),
        source: "ssh://git@git.internal/shop".into(),
    };
    let patch = Written::Patch {
        path: "/home/ana/quarterdeck-shop-production-greeting.patch".into(),
        why: "remote: error: GH006: Protected branch update failed".into(),
    };
    for (name, written) in [("branch", branch), ("patch", patch)] {
        let mut stand = Stand::over(reading_of(&text, home.clone()));
        let draft = stand.previewed();
        stand.tell(crate::board::edit::News::Previewed(Arc::clone(&draft), Ok(PLAN.into())));
        stand.key(KeyCode::Char('y'));
        stand.tell(crate::board::edit::News::Written(draft, Ok(written)));
        stand.snapshot(&format!("template-{name}"));
        // It is not the registered template yet: there is nothing to apply.
        assert_eq!(stand.act(Action::SelectionOpen), LayerOutcome::Stay);
        assert_eq!(stand.layer.context(), Context::Template);
    }
}

#[test]
fn the_way_by_keys_is_the_same_in_every_keymap() {
    for name in ["default", "vim", "k9s"] {
        let mut scene = Scene::drawn();
        scene.keymap = keymap::load(name, None).0;
        let mut screen = Screen::default();
        screen.refresh(Refresh::All, &scene.view());
        let press = |screen: &mut Screen, scene: &Scene, code: KeyCode| screen.key(KeyEvent::new(code, KeyModifiers::NONE), &scene.view());
        let asked = press(&mut screen, &scene, KeyCode::Char('e'));
        let [Request::Deliver(Order::Edit(crate::board::edit::Order::Read(about)))] = asked.as_slice() else { panic!("{name}: {asked:?}") };
        assert_eq!(*about, About::App("billing".into()));
        scene.board.learn(News::Edit(crate::board::edit::News::Read(about.clone(), Ok(in_file()))));
        // Another app's template has other services: the first of them is changed.
        assert_eq!(press(&mut screen, &scene, KeyCode::Char('e')), []);
        for code in
            [KeyCode::Char('q'), KeyCode::Char(':'), KeyCode::Char('j'), KeyCode::Left, KeyCode::Backspace, KeyCode::Tab, KeyCode::BackTab]
        {
            assert_eq!(press(&mut screen, &scene, code), [], "{name}: {code:?} is text here, or moves");
        }
        let shown = press(&mut screen, &scene, KeyCode::Enter);
        let [Request::Deliver(Order::Edit(crate::board::edit::Order::Preview(draft)))] = shown.as_slice() else {
            panic!("{name}: {shown:?}")
        };
        assert_eq!(draft.edits.iter().filter_map(|edit| edit.value.as_deref()).collect::<Vec<_>>(), ["helloqj"], "{name}");
        // Out again: the preview, the form with what was typed (twice), the template.
        for _ in 0..4 {
            assert_eq!(press(&mut screen, &scene, KeyCode::Esc), [], "{name}");
        }
        assert_eq!(press(&mut screen, &scene, KeyCode::Char('q')), [Request::Quit], "{name}: everything is closed");
    }
}

#[test]
fn no_size_is_too_small() {
    let every = |stand: &mut Stand| {
        for width in 1..60 {
            for height in 1..14 {
                stand.painted((width, height));
            }
        }
    };
    let mut stand = Stand::over(in_file());
    every(&mut stand);
    let draft = stand.previewed();
    every(&mut stand);
    stand.tell(crate::board::edit::News::Previewed(draft, Ok(PLAN.into())));
    every(&mut stand);
    stand.act(Action::LayerClose);
    every(&mut stand);
}
