use proptest::prelude::*;

use super::*;
use crate::fleet::{Fleet, fixture};

fn selected(text: &str) -> Vec<String> {
    let fleet = fixture::fleet();
    let selector = Selector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let found = fleet.containers().filter(|c| selector.matches(c, fleet.host(&c.key.host).unwrap()));
    found.map(|c| format!("{}/{}", c.key.host, c.name)).collect()
}

#[test]
fn terms_select() {
    let everything = selected("").len();
    assert_eq!(everything, fixture::fleet().containers().count());
    let cases: [(&str, &[&str]); 10] = [
        ("host:app-07 service:api", &["app-07/api-1"]),
        ("HOST:app-07 app:SHOP service:api,nothing", &["app-07/api-1"]),
        ("version:1.0.1-19*", &["app-07/api-1"]),
        ("04bd1c9", &["app-07/api-1"]),
        ("04BD1*9", &["app-07/api-1"]),
        ("health:unhealthy", &["app-03/worker-1"]),
        ("name:/^WORKER/ host:app-03", &[]),
        ("name:/^worker-1/ host:app-03", &["app-03/worker-1"]),
        ("env:testing service:db", &["test-01/db"]),
        ("env:testing service:db !state:running", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(selected(text), expected, "{text}");
    }
    assert_eq!(selected("env:production").len() + selected("!env:production").len(), everything);
    assert_eq!(selected("env:staging,testing").len(), selected("env:staging").len() + selected("env:testing").len());
    assert_eq!(selected("app:-").len(), 0);
    assert_eq!(selected("tag:web !host:app-*").len(), 0);
    assert_eq!(selected("label:com.docker.compose.service=ap?").len(), selected("service:api").len());
    assert_eq!(selected("label:nothing").len(), 0);
    assert_eq!(selected("image:*/api:*").len(), selected("service:api").len());
    let first = fixture::fleet().containers().next().unwrap().clone();
    assert_eq!(selected(&format!("id:{}", first.key.id.short())).len(), 1);
}

#[test]
fn errors_name_column_and_nearest() {
    let cases = [
        ("host:a nme:web", 8, "column 8: unknown field \"nme\" (did you mean \"name\"?); to search for the text itself, quote it"),
        ("state:runing", 7, "column 7: no state is called \"runing\" (did you mean \"running\"?)"),
        ("host:", 6, "column 6: a value is missing"),
        ("!", 2, "column 2: a value is missing"),
        ("name:/web", 6, "column 6: / is not closed"),
        ("é name:\"web", 8, "column 8: \" is not closed"),
        ("name:/web/x", 11, "column 11: a space or comma must follow a /regular expression/"),
        ("name:/(/", 6, "column 6: /(/ is no usable regular expression: unclosed group"),
    ];
    for (text, column, expected) in cases {
        let error = Selector::parse(text).unwrap_err();
        assert_eq!((error.column(), error.to_string()), (column, expected.to_owned()), "{text}");
    }
    assert_eq!(Selector::parse(&"a ".repeat(100)), Err(SelectorError::TooLarge));
    assert_eq!(Selector::parse(&"a".repeat(5000)), Err(SelectorError::TooLarge));
}

#[test]
fn writes_back_what_it_read() {
    let cases = [
        ("  host:app-01   app:shop ", "host:app-01 app:shop"),
        ("!environment:a,b", "!env:a,b"),
        ("name:\"a b\",/c d,\\/e/", "name:\"a b\",/c d,\\/e/"),
        ("\"nginx:1.25\"", "\"nginx:1.25\""),
        ("10.0.0.1:80", "\"10.0.0.1:80\""),
        ("env:a,", "env:a"),
        ("name:\"/x\"", "name:\"/x\""),
    ];
    for (text, expected) in cases {
        assert_eq!(Selector::parse(text).unwrap().to_string(), expected);
    }
}

#[test]
fn completes_fields_and_values_that_occur() {
    let fleet = fixture::fleet();
    let complete = |text: &str| Selector::completions(text, text.len(), &fleet);
    assert_eq!(complete("!ho"), ["!host:"]);
    assert_eq!(complete("app:shop se"), ["service:"]);
    assert_eq!(complete("app:"), ["app:billing", "app:edge", "app:shop"]);
    assert_eq!(complete("env:testing,pro"), ["env:testing,production"]);
    assert_eq!(complete("state:re"), ["state:removing", "state:restarting"]);
    assert_eq!(complete("nothing:x"), Vec::<String>::new());
    assert_eq!(complete("version:1.0.1-1"), ["version:1.0.1-19-04bd1c9"]);
    assert_eq!(complete("host:app-07 label:com.docker.compose.p"), ["label:com.docker.compose.project"]);
    assert!(complete("").len() == Field::ALL.len());
    assert_eq!(Selector::term_at("app:shop se", 11), 9..11);
    let _: &Fleet = &fleet;
}

proptest! {
    #[test]
    fn never_panics_and_display_is_a_fixed_point(
        text in "\\PC{0,60}|([!a-z:,/\"\\\\*? \\[\\]-]|host:|name:|label:|env:|id:|=){0,30}",
        cursor in 0usize..80,
    ) {
        let fleet = Fleet::new(vec![], vec![]);
        Selector::completions(&text, cursor, &fleet);
        if let Ok(selector) = Selector::parse(&text) {
            let shown = selector.to_string();
            let again = Selector::parse(&shown);
            prop_assert_eq!(again.as_ref(), Ok(&selector), "{}", shown);
            prop_assert_eq!(again.map(|s| s.to_string()), Ok(shown));
        }
    }
}
