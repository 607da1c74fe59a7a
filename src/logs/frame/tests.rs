//! Framing by table, and the property that the cutting of the input does not matter.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that cannot go on has failed.

use proptest::prelude::*;

use super::*;

const T: &str = "2026-11-21T14:02:58.114000000Z ";
const U: &str = "2026-11-21T14:02:59.000000001Z ";

fn frame(stream: u8, record: &[u8]) -> Vec<u8> {
    let mut out = vec![stream, 0, 0, 0];
    out.extend_from_slice(&u32::try_from(record.len()).unwrap().to_be_bytes());
    out.extend_from_slice(record);
    out
}

fn decode(framing: Framing, input: &[u8], sizes: &[usize]) -> Result<Vec<LogLine>, FrameError> {
    let mut decoder = LineDecoder::new(SourceId(7), framing);
    let mut lines = Vec::new();
    let mut rest = input;
    let mut sizes = sizes.iter().cycle();
    while !rest.is_empty() {
        let take = (*sizes.next().unwrap()).clamp(1, rest.len());
        decoder.push(Bytes::copy_from_slice(&rest[..take]), &mut lines)?;
        rest = &rest[take..];
    }
    decoder.finish(&mut lines);
    Ok(lines)
}

fn told(lines: &[LogLine]) -> Vec<(LogStream, String)> {
    lines.iter().map(|line| (line.stream, String::from_utf8_lossy(line.text.bytes()).into_owned())).collect()
}

#[test]
fn frames() {
    use LogStream::{Err, Out};
    let long = "x".repeat(PIECE);
    type Case = (Vec<Vec<u8>>, Vec<(LogStream, String)>);
    let cases: Vec<Case> = vec![
        (
            vec![frame(1, format!("{T}one\n").as_bytes()), frame(2, format!("{T}two\r\n").as_bytes())],
            vec![(Out, "one".into()), (Err, "two".into())],
        ),
        (vec![frame(1, format!("{T}\n").as_bytes())], vec![(Out, String::new())]),
        (vec![frame(1, b"")], vec![]),
        (vec![frame(1, format!("{T}no newline").as_bytes())], vec![(Out, "no newline".into())]),
        // A long line, with one of the other stream in the middle.
        (
            vec![
                frame(1, format!("{T}{long}").as_bytes()),
                frame(2, format!("{T}other\n").as_bytes()),
                frame(1, format!("{T}{long}").as_bytes()),
                frame(1, format!("{T}rest\n").as_bytes()),
            ],
            vec![(Err, "other".into()), (Out, format!("{long}{long}rest"))],
        ),
        // A program that ended without a newline, and its next life.
        (
            vec![frame(1, format!("{T}dying").as_bytes()), frame(1, format!("{U}born\n").as_bytes())],
            vec![(Out, "dying".into()), (Out, "born".into())],
        ),
        // An engine killed in the middle of a long line, and what came after its restart.
        (
            vec![frame(1, format!("{T}{long}").as_bytes()), frame(1, format!("{U}born\n").as_bytes())],
            vec![(Out, long.clone()), (Out, "born".into())],
        ),
        // Several lines in one record; without a stamp it is the one before.
        (vec![frame(1, format!("{T}a\n{U}b\nc\n").as_bytes())], vec![(Out, "a".into()), (Out, "b".into()), (Out, "c".into())]),
    ];
    for (frames, expected) in cases {
        let lines = decode(Framing::Multiplexed, &frames.concat(), &[usize::MAX]).unwrap();
        assert_eq!(told(&lines), expected);
        assert!(lines.iter().all(|line| line.source == SourceId(7) && !line.cut));
    }
}

#[test]
fn a_hundred_thousand_bytes_are_one_line() {
    let text = "y".repeat(100_000);
    let records: Vec<u8> = text.as_bytes().chunks(PIECE).flat_map(|piece| frame(1, &[T.as_bytes(), piece].concat())).collect();
    let mut input = records;
    input.extend(frame(1, format!("{T}\n").as_bytes()));
    assert_eq!(told(&decode(Framing::Multiplexed, &input, &[1000]).unwrap()), [(LogStream::Out, text)]);
}

#[test]
fn a_line_without_end_is_cut() {
    let piece = [T.as_bytes(), "z".repeat(PIECE).as_bytes()].concat();
    let mut input: Vec<u8> = (0..80).flat_map(|_| frame(1, &piece)).collect();
    input.extend(frame(1, format!("{T}\n{U}next\n").as_bytes()));
    let lines = decode(Framing::Multiplexed, &input, &[4096]).unwrap();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].cut && lines[0].text.bytes().len() == LINE_LIMIT);
    assert!(!lines[1].cut);
}

#[test]
fn a_tty_has_no_frames() {
    let long = "w".repeat(PIECE);
    // A TTY's first byte may look like a header's.
    let input = format!("{T}\u{1}one\r\n{T}{long}{T}{long}{T}tail\r\n{U}prompt> ");
    let lines = decode(Framing::Raw, input.as_bytes(), &[333]).unwrap();
    let texts: Vec<String> = told(&lines).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["\u{1}one".to_owned(), format!("{long}{long}tail"), "prompt> ".to_owned()]);
}

#[test]
fn what_is_no_frame_is_an_error() {
    assert!(matches!(decode(Framing::Multiplexed, b"hello world", &[3]), Err(FrameError::NotAFrame { .. })));
    assert!(matches!(decode(Framing::Multiplexed, &[1, 0, 0, 0, 255, 255, 255, 255], &[8]), Err(FrameError::NotAFrame { .. })));
    let error = decode(Framing::Multiplexed, &frame(3, b"Error grabbing logs: \x1b[2J"), &[9]).unwrap_err();
    assert_eq!(error.to_string(), "Error grabbing logs: ␛[2J");
}

#[test]
fn indented_lines_take_the_level_of_the_line_before() {
    let input: Vec<u8> = ["ERROR boom\n", "  at main.rs:3\n", "\tat lib.rs:9\n", "next\n"]
        .iter()
        .flat_map(|text| frame(2, format!("{T}{text}").as_bytes()))
        .collect();
    let levels: Vec<_> = decode(Framing::Multiplexed, &input, &[64]).unwrap().iter().map(|line| line.level).collect();
    assert_eq!(levels, [Some(Level::Error), Some(Level::Error), Some(Level::Error), None]);
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_lines(
        records in proptest::collection::vec((1u8..3, 0u32..4, "[a-z\\r\\x01\\x02 ]{0,40}", any::<bool>()), 0..30),
        sizes in proptest::collection::vec(1usize..70, 1..8),
    ) {
        let input: Vec<u8> = records
            .iter()
            .flat_map(|(stream, second, text, ended)| {
                let end = if *ended { "\n" } else { "" };
                frame(*stream, format!("2026-11-21T14:02:0{second}.000000000Z {text}{end}").as_bytes())
            })
            .collect();
        let whole = decode(Framing::Multiplexed, &input, &[usize::MAX]).unwrap();
        prop_assert_eq!(&whole, &decode(Framing::Multiplexed, &input, &sizes).unwrap());
        // Nothing is lost: all texts together are all records together, each stream by itself.
        for (number, stream) in [(1, LogStream::Out), (2, LogStream::Err)] {
            let sent: String = records.iter().filter(|record| record.0 == number).map(|record| record.2.replace('\r', "")).collect();
            let got: String = told(&whole).into_iter().filter(|line| line.0 == stream).map(|line| line.1.replace('\r', "")).collect();
            prop_assert_eq!(sent, got);
        }
    }

    #[test]
    fn any_cutting_of_a_tty_gives_the_same_lines(text in "([a-z \\r]{0,20}\n){0,20}[a-z]{0,5}", sizes in proptest::collection::vec(1usize..50, 1..6)) {
        let input: String = text.split_inclusive('\n').map(|line| format!("{T}{line}")).collect();
        prop_assert_eq!(decode(Framing::Raw, input.as_bytes(), &[usize::MAX]), decode(Framing::Raw, input.as_bytes(), &sizes));
    }

    #[test]
    fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), sizes in proptest::collection::vec(1usize..50, 1..6)) {
        let _frames = decode(Framing::Multiplexed, &bytes, &sizes);
        prop_assert!(decode(Framing::Raw, &bytes, &sizes).is_ok());
    }
}
