//! Odd layouts, and texts at random: what changes is what was asked, and no other line.

use proptest::prelude::*;

use super::*;
use crate::delivery::template::Template;

const HEAD: &str = "[app]\nname = \"a\"\nregistry = \"r\"\nversion = \"1\"\n[services.web]\nimage = \"x:1\"\nports = [\"80\"]\n";

fn place(service: Option<&str>) -> Place {
    Place { environment: "production".into(), service: service.map(Into::into) }
}

fn edit(service: Option<&str>, name: &str, value: Option<&str>) -> Edit {
    Edit { place: place(service), name: name.into(), value: value.map(Into::into) }
}

/// The lines that went and the lines that came, `-` and `+`; all others are the same, bytes and order.
fn differing(old: &str, new: &str) -> Vec<String> {
    let (mut old, mut new): (Vec<&str>, Vec<&str>) = (old.split_inclusive('\n').collect(), new.split_inclusive('\n').collect());
    let same = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    old.drain(..same);
    new.drain(..same);
    let same = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    old.truncate(old.len() - same);
    new.truncate(new.len() - same);
    old.iter().map(|line| format!("-{line}")).chain(new.iter().map(|line| format!("+{line}"))).collect()
}

fn changed(text: &str, edits: &[Edit]) -> Vec<String> {
    let new = rewrite(text, edits).unwrap_or_else(|error| panic!("{error}\n{text}"));
    differing(text, &new)
}

#[test]
fn one_value_in_every_layout() {
    let set = [edit(None, "A", Some("new"))];
    for (layout, expected) in [
        (
            "[environments.production]\nhosts = [\"h\"]\nvars = { A = \"old\", B = \"b\" } # why\n",
            "+vars = { A = \"new\", B = \"b\" } # why\n",
        ),
        ("[environments.production]\nhosts = [\"h\"]\nvars.A   =   'old'   # why\nvars.B = \"b\"\n", "+vars.A   =   'new'   # why\n"),
        (
            "[environments.production]\nhosts = [\"h\"]\n[environments.production.vars]\n\tA = \"old\" # why\n\tB = \"b\"\n",
            "+\tA = \"new\" # why\n",
        ),
        (
            "[environments]\nproduction = { hosts = [\"h\"], vars = { \"A\" = \"old\" } }\n",
            "+production = { hosts = [\"h\"], vars = { \"A\" = \"new\" } }\n",
        ),
        (
            "environments.production.hosts = [\"h\"]\nenvironments.production.vars.A = \"old\"\n",
            "+environments.production.vars.A = \"new\"\n",
        ),
        (
            "[environments]\nproduction.hosts = [\"h\"]\nproduction.vars.A = '''old\nlines''' # why\n",
            "+production.vars.A = \"new\" # why\n",
        ),
        ("[environments.production]\nhosts = [\"h\"]\nvars = { A = true }\n", "+vars = { A = \"new\" }\n"),
    ] {
        let lines = changed(layout, &set);
        assert_eq!(lines.iter().filter(|line| line.starts_with('+')).collect::<Vec<_>>(), [expected], "{layout}");
    }
}

#[test]
fn line_ends_stay_as_they_are() {
    let unix = "[environments.production]\nhosts = [\"h\"] # here\n# and\nvars = { A = \"1\" }\n[environments.production.services.web]\nmemory = \"1g\"\n";
    let dos = unix.replace('\n', "\r\n");
    let edits = [edit(None, "A", Some("2")), edit(Some("web"), "B", Some("x")), edit(None, "C", Some("y"))];
    let (of_unix, of_dos) = (rewrite(unix, &edits).unwrap(), rewrite(&dos, &edits).unwrap());
    assert_eq!(of_unix.replace('\n', "\r\n"), of_dos);
    assert_eq!(
        of_unix,
        "[environments.production]\nhosts = [\"h\"] # here\n# and\nvars = { A = \"2\", C = \"y\" }\n[environments.production.services.web]\nmemory = \"1g\"\nvars = { B = \"x\" }\n"
    );
    // Nothing behind the last line.
    let open = of_unix.trim_end();
    assert_eq!(rewrite(open, &[edit(Some("web"), "D", Some("z"))]).unwrap(), open.replace("B = \"x\" }", "B = \"x\", D = \"z\" }"));
    let open = "environments.production.hosts = [\"h\"]";
    assert_eq!(rewrite(open, &[edit(None, "A", Some("1"))]).unwrap(), format!("{open}\nenvironments.production.vars = {{ A = \"1\" }}"));
}

#[test]
fn one_more_variable_in_every_layout() {
    for (layout, service, expected) in [
        ("vars = { A = \"1\" } # why\n", None, "-vars = { A = \"1\" } # why\n+vars = { A = \"1\", N = \"v\" } # why\n"),
        ("vars = {}\n", None, "-vars = {}\n+vars = { N = \"v\" }\n"),
        ("vars.A = \"1\" # why\n", None, "+vars.N = \"v\"\n"),
        ("vars = {\n  A = \"1\", # why\n  B = \"2\",\n}\n", None, "+  N = \"v\",\n"),
        ("auto = true # why\n\n# about the next\n", None, "+vars = { N = \"v\" }\n"),
        ("[environments.production.vars]\n# nothing yet\n", None, "+N = \"v\"\n"),
        ("\n[environments.production.vars]\n  A = \"1\"\n\n[x]\n", None, "+  N = \"v\"\n"),
        ("[environments.production.services.web]\nmemory = \"1g\"\n# end\n", Some("web"), "+vars = { N = \"v\" }\n"),
        ("[environments.production.services.web]\n", Some("web"), "+vars = { N = \"v\" }\n"),
        (
            "[environments.production.services.web.health]\nhttp = \"/\"\n",
            Some("web"),
            "+[environments.production.services.web]\n+vars = { N = \"v\" }\n",
        ),
        ("services.db.memory = \"1g\"\n", Some("web"), "+services.web.vars = { N = \"v\" }\n"),
        (
            "services = { db = { memory = \"1g\" } }\n",
            Some("web"),
            "-services = { db = { memory = \"1g\" } }\n+services = { db = { memory = \"1g\" }, web = { vars = { N = \"v\" } } }\n",
        ),
        (
            "services = { web.vars.A = \"1\", db.memory = \"1g\" }\n",
            Some("web"),
            "-services = { web.vars.A = \"1\", db.memory = \"1g\" }\n+services = { web.vars.A = \"1\", web.vars.N = \"v\", db.memory = \"1g\" }\n",
        ),
        (
            "auto = true\n\n# the next\n[environments.testing]\nhosts = [\"t\"]\n",
            Some("web"),
            "+[environments.production.services.web]\n+vars = { N = \"v\" }\n",
        ),
    ] {
        let text = format!("{HEAD}[environments.production]\nhosts = [\"h\"]\n{layout}");
        assert_eq!(changed(&text, &[edit(service, "N", Some("v"))]).concat(), expected, "{layout}");
    }
    let dotted = "[environments]\nproduction.hosts = [\"h\"]\ntesting.hosts = [\"t\"]\n";
    assert_eq!(changed(dotted, &[edit(Some("web"), "N", Some("v"))]), ["+production.services.web.vars = { N = \"v\" }\n"]);
    let inline = "[environments]\nproduction = { hosts = [\"h\"] }\n";
    let expected = "+production = { hosts = [\"h\"], services = { web = { vars = { N = \"v\" } } } }\n";
    assert_eq!(changed(inline, &[edit(Some("web"), "N", Some("v"))])[1], expected);
}

#[test]
fn taken_away_in_every_layout() {
    for (layout, expected) in [
        (
            "vars = { A = \"1\", B = \"2\", C = \"3\" } # why\n",
            "-vars = { A = \"1\", B = \"2\", C = \"3\" } # why\n+vars = { A = \"1\", C = \"3\" } # why\n",
        ),
        ("vars = { B = \"2\" , A = \"1\" }\n", "-vars = { B = \"2\" , A = \"1\" }\n+vars = { A = \"1\" }\n"),
        ("vars = { A = \"1\", B = \"2\" }\n", "-vars = { A = \"1\", B = \"2\" }\n+vars = { A = \"1\" }\n"),
        ("vars = { B = \"2\" }\n", "-vars = { B = \"2\" }\n+vars = {}\n"),
        ("vars = {\n  A = \"1\", # one\n  B = \"2\", # two\n}\n", "-  B = \"2\", # two\n"),
        ("vars.A = \"1\"\nvars.B = \"\"\"2\n3\"\"\" # two\nauto = true\n", "-vars.B = \"\"\"2\n-3\"\"\" # two\n"),
        ("[environments.production.vars]\nB = \"2\" # two\n", "-B = \"2\" # two\n"),
        ("vars.B = \"2\"\n", "-vars.B = \"2\"\n"),
    ] {
        let text = format!("{HEAD}[environments.production]\nhosts = [\"h\"]\n{layout}");
        assert_eq!(changed(&text, &[edit(None, "B", None)]).concat(), expected, "{layout}");
    }
}

#[test]
fn what_is_not_there_is_not_taken_away() {
    let text = format!("{HEAD}[environments.production]\nhosts = [\"h\"]\n");
    let error = rewrite(&text, &[edit(None, "B", None)]).unwrap_err();
    assert_eq!(error.to_string(), "environments.production.vars says nothing of B: it cannot be taken away there");
    assert!(matches!(rewrite("a = ", &[edit(None, "B", Some("x"))]), Err(RewriteError::Syntax(_))));
    // An environment that is not there is not invented.
    assert!(matches!(rewrite(HEAD, &[edit(None, "B", Some("x"))]), Err(RewriteError::Layout { .. })));
}

#[test]
fn a_value_keeps_its_manner() {
    for (old, value, new) in [
        ("'a\\b'", "c\\d", "'c\\d'"),
        ("'a'", "it's", "\"it's\""),
        ("80", "81", "81"),
        ("80", "081", "\"081\""),
        ("true", "false", "false"),
        ("true", "1", "\"1\""),
        ("\"80\"", "81", "\"81\""),
        ("\"\"\"a\nb\"\"\"", "a\"\u{7}", "\"a\\\"\\U00000007\""),
    ] {
        assert_eq!(literal(Some(old), value), new, "{old}");
    }
}

#[test]
fn the_documented_template_keeps_its_comments() {
    let text = include_str!("../full.toml");
    let edits = [
        edit(Some("web"), "LOG", Some("debug")),
        edit(None, "GREETING", Some("hello \"you\"")),
        Edit { place: Place { environment: "testing".into(), service: None }, name: "GREETING".into(), value: Some("hi".into()) },
    ];
    let new = rewrite(text, &edits).unwrap();
    let lines: Vec<&str> = new.lines().filter(|line| !text.lines().any(|old| old == *line)).collect();
    assert_eq!(lines, ["vars  = { GREETING = \"hi\" }", "vars = { GREETING = \"hello \\\"you\\\"\" }", "vars = { LOG = \"debug\" }"]);
    assert_eq!(text.matches('#').count(), new.matches('#').count());
    let template = Template::parse(std::path::Path::new("t"), &new).unwrap();
    let variables = template.variables(&"production".into(), &"web".into()).unwrap();
    let told: Vec<_> = variables
        .iter()
        .map(|v| (v.name.to_string(), v.said.iter().map(|said| (said.level, said.value.to_string())).collect::<Vec<_>>()))
        .collect();
    assert_eq!(
        told,
        [
            ("GREETING".to_owned(), vec![(crate::delivery::template::Level::Environment, "hello \"you\"".to_owned())]),
            (
                "LOG".to_owned(),
                vec![
                    (crate::delivery::template::Level::Here, "debug".to_owned()),
                    (crate::delivery::template::Level::Service, "info".to_owned())
                ]
            ),
        ]
    );
}

/// A table of variables in one of the manners in which people write them.
fn written(style: usize, vars: &[(String, String)], comment: &str) -> String {
    let pair = |(name, value): &(String, String)| format!("{} = {}", quote::key(name), quote::text(value));
    let inline = vars.iter().map(pair).collect::<Vec<_>>().join(", ");
    let lines = |prefix: &str| vars.iter().map(|var| format!("{prefix}{} # {comment}\n", pair(var))).collect::<String>();
    match style {
        0 => format!("[environments.production]\nhosts = [\"h\"]\nvars = {{ {inline} }} # {comment}\n"),
        1 => format!("[environments.production]\nhosts = [\"h\"]\n{}# {comment}\n", lines("vars.")),
        2 => format!("[environments.production]\nhosts = [\"h\"]\n\n[environments.production.vars]\n{}", lines("  ")),
        3 => format!("[environments]\nproduction = {{ hosts = [\"h\"], vars = {{{inline}}} }}\n"),
        4 => format!("[environments]\nproduction.hosts = [\"h\"] # {comment}\n{}", lines("production.vars.")),
        5 => format!(
            "[environments.production]\nhosts = [\"h\"]\nvars = {{\n{}}}\n",
            vars.iter().map(|var| format!("    {}, # {comment}\n", pair(var))).collect::<String>()
        ),
        _ => format!(
            "[environments.production]\nhosts = [\"h\"]\n[environments.production.services.db]\nmemory = \"1g\" # {comment}\n[environments.production.services.web]\nvars = {{ {inline} }}\n"
        ),
    }
}

proptest! {
    #[test]
    fn exactly_what_was_asked(
        style in 0_usize..7,
        dos in any::<bool>(),
        vars in proptest::collection::btree_map("[A-Z]{1,3}", "\\PC{0,6}|[a-z\"'\\\\{}#,= \n]{0,8}", 0..5),
        comment in "[a-z {},#=\"']{0,12}",
        name in "[A-Z]{1,3}",
        value in proptest::option::of("\\PC{0,8}|[a-z\"'\\\\{}#,= \n\t]{0,8}"),
    ) {
        let service = (style == 6).then_some("web");
        let vars: Vec<(String, String)> = vars.into_iter().collect();
        let text = format!("# {comment}\n{}\n# {comment}\n[last] # {comment}\nx = 1", written(style, &vars, &comment));
        let text = if dos { text.replace('\n', "\r\n") } else { text };
        let done = rewrite(&text, &[edit(service, &name, value.as_deref())]);
        let has = vars.iter().any(|(known, _)| *known == name);
        if value.is_none() && !has {
            let is_absent = matches!(done, Err(RewriteError::Absent { .. }));
            prop_assert!(is_absent);
            return Ok(());
        }
        let new = done.unwrap_or_else(|error| panic!("{error}\n{text}"));
        // What it says now.
        let table: toml::Table = new.parse().unwrap();
        let said = place(service).path().iter().try_fold(&toml::Value::Table(table), |at, key| at.get(key)).and_then(|vars| vars.get(&name)).and_then(toml::Value::as_str).map(str::to_owned);
        prop_assert_eq!(said.as_deref(), value.as_deref());
        // The lines around stay, bytes and all; line ends too.
        let lines = differing(&text, &new);
        let (gone, come) = (lines.iter().filter(|l| l.starts_with('-')).count(), lines.iter().filter(|l| l.starts_with('+')).count());
        prop_assert!(gone <= 1 && come <= 2, "{:?}", lines);
        prop_assert_eq!(new.contains('\r'), dos);
        prop_assert_eq!(new.matches('\n').count(), new.matches("\r\n").count() + if dos { 0 } else { new.matches('\n').count() });
        // Back again, it is the text that it was, where only a value changed.
        if let (Some((_, old)), Some(_)) = (vars.iter().find(|(known, _)| *known == name), &value) {
            prop_assert_eq!(rewrite(&new, &[edit(service, &name, Some(old))]).unwrap(), text);
        }
    }

    #[test]
    fn no_text_panics(text in "[a-z.=\\[\\]{}\"'\n ,#]{0,80}|(\\[environments\\.production(\\.vars)?\\]|vars|A|=|\\{|\\}|\"x\"|,|\\.|\n|environments|production){0,16}") {
        for edit in [edit(None, "A", Some("x")), edit(Some("web"), "A", Some("x")), edit(None, "A", None)] {
            let _ = rewrite(&text, &[edit]);
        }
    }
}
