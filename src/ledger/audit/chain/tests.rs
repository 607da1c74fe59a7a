//! What the check finds, by table; and that the canonical form is what the page says.

use super::*;

fn row(after: Option<&Row>, entry: i64, kind: &str, host: &str) -> Row {
    let seq = after.map_or(0, |row| row.number("seq").unwrap()) + 1;
    let fields = FIELDS.iter().map(|name| match *name {
        "seq" => Some(seq.to_string()),
        "entry" => Some(if kind == "intent" { seq } else { entry }.to_string()),
        "kind" => Some(kind.to_owned()),
        "at" => Some((1_700_000_000_000 + seq).to_string()),
        "host" => (kind == "intent").then(|| host.to_owned()),
        "outcome" => (kind == "outcome").then(|| "done".to_owned()),
        _ => None,
    });
    Row::sealed(fields.collect(), after.map_or(GENESIS.to_owned(), |row| row.hash.clone()))
}

/// Three acts: two done, the last one open. Rows 1 and 2, 3 and 4, 5.
fn rows() -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (entry, kind) in [(1, "intent"), (1, "outcome"), (3, "intent"), (3, "outcome"), (5, "intent")] {
        rows.push(row(rows.last(), entry, kind, "app-01"));
    }
    rows
}

fn head(rows: &[Row]) -> Option<Head> {
    rows.last().map(|row| Head { seq: row.number("seq").unwrap(), hash: row.hash.clone() })
}

fn check(rows: &[Row], said: Option<Head>, noted: Vec<Head>) -> Check {
    let mut chain = Chain::new(noted);
    rows.iter().for_each(|row| chain.take(row));
    chain.end(said)
}

fn set(row: &mut Row, name: &str, value: Option<&str>) {
    let place = FIELDS.iter().position(|field| *field == name).unwrap();
    row.fields[place] = value.map(str::to_owned);
}

#[test]
fn a_whole_chain_and_an_empty_one() {
    let rows = rows();
    let found = check(&rows, head(&rows), Vec::new());
    assert!(found.is_whole(), "{found:?}");
    assert_eq!((found.rows, found.open, Some(found.head)), (5, 1, head(&rows)));
    let empty = check(&[], Some(Head { seq: 0, hash: GENESIS.to_owned() }), Vec::new());
    assert!(empty.is_whole() && empty.rows == 0);
}

#[test]
fn every_way_to_tamper_is_found() {
    use ChainFault::{Broken, Changed, Cut, Head, Missing};
    type Tamper = fn(&mut Vec<Row>);
    let table: [(&str, Tamper, Vec<ChainFault>); 12] = [
        ("a text changed", |rows| set(&mut rows[2], "host", Some("app-02")), vec![Changed { seq: 3 }]),
        ("a text taken away", |rows| set(&mut rows[2], "host", None), vec![Changed { seq: 3 }]),
        (
            "a text moved to another field",
            |rows| {
                set(&mut rows[2], "host", None);
                set(&mut rows[2], "action", Some("app-01"));
            },
            vec![Changed { seq: 3 }],
        ),
        ("the time changed", |rows| set(&mut rows[0], "at", Some("1")), vec![Changed { seq: 1 }]),
        ("the outcome changed", |rows| set(&mut rows[3], "outcome", Some("failed")), vec![Changed { seq: 4 }]),
        ("an outcome given to another act", |rows| set(&mut rows[1], "entry", Some("5")), vec![Changed { seq: 2 }]),
        ("a row removed", |rows| drop(rows.remove(2)), vec![Missing { from: 3, to: 3 }]),
        ("the first rows removed", |rows| drop(rows.drain(..2)), vec![Missing { from: 1, to: 2 }]),
        (
            "the rows numbered anew after a removal",
            |rows| {
                rows.drain(..2);
                for (row, seq) in rows.iter_mut().zip(["1", "2", "3"]) {
                    set(row, "seq", Some(seq));
                }
            },
            vec![Changed { seq: 1 }, Changed { seq: 2 }, Changed { seq: 3 }, Cut { from: 4, to: 5 }],
        ),
        (
            "two rows changed places",
            |rows| {
                rows.swap(2, 4);
                set(&mut rows[2], "seq", Some("3"));
                set(&mut rows[4], "seq", Some("5"));
            },
            vec![Changed { seq: 3 }, Broken { seq: 4 }, Changed { seq: 5 }],
        ),
        (
            "a row written anew with a hash of its own",
            |rows| {
                let forged = row(Some(&rows[1].clone()), 3, "intent", "elsewhere");
                rows[2] = forged;
            },
            vec![Broken { seq: 4 }],
        ),
        ("the end cut off", |rows| rows.truncate(3), vec![Cut { from: 4, to: 5 }]),
    ];
    for (what, tamper, expected) in table {
        let mut rows = rows();
        let said = head(&rows);
        tamper(&mut rows);
        let mut faults = check(&rows, said, Vec::new()).faults;
        faults.retain(|fault| !matches!(fault, Head { .. }));
        assert_eq!(faults, expected, "{what}");
    }
}

#[test]
fn a_row_inserted_at_the_end_or_in_the_middle() {
    let mut longer = rows();
    let said = head(&longer);
    longer.push(row(longer.last(), 5, "outcome", ""));
    let found = check(&longer, said.clone(), Vec::new());
    assert!(matches!(found.faults.as_slice(), [ChainFault::Head { .. }]), "{found:?}");
    let mut twice = rows();
    twice.insert(3, twice[2].clone());
    assert_eq!(check(&twice, said, Vec::new()).faults, [ChainFault::Broken { seq: 3 }]);
}

#[test]
fn an_outcome_of_nothing() {
    let mut rows = rows();
    rows.push(row(rows.last(), 3, "outcome", ""));
    assert_eq!(check(&rows, head(&rows), Vec::new()).faults, [ChainFault::Orphan { seq: 6 }]);
}

#[test]
fn what_only_a_noted_head_finds() {
    let whole = rows();
    let noted = Head { seq: 5, hash: whole[4].hash[..8].to_owned() };
    assert!(check(&whole, head(&whole), vec![noted.clone()]).is_whole());
    // Cut with the head set back: the chain alone looks whole.
    let cut = &whole[..4];
    assert!(check(cut, head(cut), Vec::new()).is_whole());
    assert_eq!(check(cut, head(cut), vec![noted.clone()]).faults, [ChainFault::Unknown { noted: noted.clone() }]);
    // Everything written anew from a row on.
    let mut anew = whole[..2].to_vec();
    for (entry, kind) in [(3, "intent"), (3, "outcome"), (5, "intent")] {
        anew.push(row(anew.last(), entry, kind, "elsewhere"));
    }
    assert!(check(&anew, head(&anew), Vec::new()).is_whole());
    assert_eq!(check(&anew, head(&anew), vec![noted.clone()]).faults, [ChainFault::Unknown { noted }]);
}

#[test]
fn a_head_that_is_gone_or_behind() {
    let rows = rows();
    for said in [None, head(&rows[..4]), Some(Head { seq: 5, hash: GENESIS.to_owned() })] {
        assert!(matches!(check(&rows, said, Vec::new()).faults.as_slice(), [ChainFault::Head { .. }]));
    }
}

#[test]
fn many_faults_are_counted() {
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..150 {
        rows.push(row(rows.last(), 0, "intent", "app-01"));
    }
    let said = head(&rows);
    rows.iter_mut().for_each(|row| set(row, "host", Some("x")));
    let found = check(&rows, said, Vec::new());
    assert_eq!((found.faults.len(), found.more_faults), (100, 50));
}

#[test]
fn the_canonical_form_is_the_documented_one() {
    let first = row(None, 1, "intent", "app-01");
    let form = format!(
        "quarterdeck audit 1\nprev={GENESIS}\nseq=1:1\nentry=1:1\nkind=6:intent\nat=13:1700000000001\nlogin\nuid\nname\nsudo_user\n\
         ssh_connection\nmachine\npid\naction\nhost=6:app-01\ntarget\ntarget_id\nargument\nplan\noutcome\ndetail\n"
    );
    let hex: String = Sha256::digest(form.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(first.hash, hex);
}

#[test]
fn heads_read_back() {
    let head = Head { seq: 44, hash: "0123456789abcdef".to_owned() };
    assert_eq!(head.to_string().parse(), Ok(head));
    for text in ["", "44", "44:", "44:0123456", "0:01234567", "-1:01234567", "44:0123456g", "x:01234567"] {
        assert!(text.parse::<Head>().is_err(), "{text}");
    }
}

#[test]
fn a_noted_head_names_its_audit() {
    let head = Head { seq: 44, hash: "9f86d081884c7d659a2feaa0c55ad015".to_owned() };
    let noted = NotedHead::new(&head, "5feceb66ffc86f38d952786c6d696c79");
    assert_eq!(noted.to_string(), "44:9f86d081884c7d65@5feceb66");
    assert_eq!(noted.to_string().parse(), Ok(noted));
    for text in ["", "44:9f86d081884c7d65", "44:9f86d081884c7d65@5feceb6", "44:9f86d081884c7d65@5FECEB66", "x@5feceb66"] {
        assert!(text.parse::<NotedHead>().is_err(), "{text}");
    }
}
