//! Cuts anywhere in a log as dockerd writes it, answered as dockerd answers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that cannot go on has failed.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::logs::{LogStream, RawText, SourceId};

fn line(at: i64, stream: LogStream, text: &str) -> LogLine {
    let text = RawText::new(Bytes::copy_from_slice(text.as_bytes()));
    LogLine { at: Stamp(at), source: SourceId(0), stream, level: None, late: false, cut: false, text }
}

/// `count` lines of both streams; at each place of `inversions` a line is stamped before the one in front of it.
fn file(count: i64, step: i64, inversions: &[i64]) -> Vec<LogLine> {
    let start = 1_790_000_000_000_000_000;
    (0..count)
        .map(|n| {
            let inverted = inversions.contains(&n);
            let stream = if inverted || n % 3 == 0 { LogStream::Err } else { LogStream::Out };
            let at = start + n * step - if inverted { step + step / 2 } else { 0 };
            line(at, stream, &format!("line {n}"))
        })
        .collect()
}

/// What dockerd answers: of the last `tail` lines those not before `since`, in the order of the file.
fn answer(file: &[LogLine], question: Continue) -> Vec<LogLine> {
    let skip = question.tail.map_or(0, |tail| file.len().saturating_sub(usize::try_from(tail).unwrap()));
    file[skip..].iter().filter(|line| line.at >= question.since).cloned().collect()
}

/// Reads on after a break, as the follower does. The lines that are told, whether a gap is told, how many questions.
fn read_on(seam: &mut Seam, file: &[LogLine], away: Duration) -> (Vec<LogLine>, bool, u32) {
    for attempt in 0.. {
        let question = seam.resume(away, attempt).unwrap();
        let (mut told, mut gap) = (Vec::new(), false);
        let mut short = false;
        for line in answer(file, question) {
            match seam.judge(&line) {
                Verdict::New => told.push(line),
                Verdict::Known => {}
                Verdict::Again => panic!("a file does not repeat itself"),
                Verdict::Gap => {
                    gap = true;
                    told.push(line);
                }
                Verdict::TooShort => {
                    short = true;
                    break;
                }
            }
        }
        match (short, seam.end()) {
            (true, _) | (false, Verdict::TooShort) => {}
            (false, Verdict::Gap) => return (told, true, attempt),
            (false, Verdict::New | Verdict::Known | Verdict::Again) => return (told, gap, attempt),
        }
    }
    unreachable!()
}

fn seen(lines: &[LogLine]) -> Seam {
    let mut seam = Seam::new();
    for line in lines {
        assert_eq!(seam.judge(line), Verdict::New);
    }
    seam
}

#[test]
fn twelve_thousand_lines_with_inversions_cut_at_each() {
    let inversions: Vec<i64> = (1..=47).map(|n| n * 251).collect();
    let file = file(12_000, 1_300_000, &inversions);
    let inverted = file.windows(2).filter(|pair| pair[1].at < pair[0].at).count();
    assert_eq!(inverted, 47);
    for cut in inversions.iter().map(|at| usize::try_from(*at).unwrap()) {
        // Until right before the line that is stamped earlier than what was seen.
        let mut seam = seen(&file[..cut]);
        let (told, gap, _) = read_on(&mut seam, &file, Duration::from_secs(16));
        assert!(!gap);
        assert_eq!(told, file[cut..], "cut at {cut}");
    }
}

#[test]
fn a_long_absence_asks_for_more_until_it_reaches_back() {
    let file = file(60_000, 1_000_000, &[]);
    let mut seam = seen(&file[..10_000]);
    let (told, gap, attempts) = read_on(&mut seam, &file, Duration::ZERO);
    assert_eq!((told.len(), gap), (50_000, false));
    assert!(attempts > 0);
    let (_, _, attempts) = read_on(&mut seen(&file[..10_000]), &file, Duration::from_secs(50));
    assert_eq!(attempts, 0, "who knows how long it was away asks once");
}

#[test]
fn what_was_before_the_beginning_stays_there() {
    // A follower began with the newest hundred lines, and was cut off at once.
    let file = file(5000, 1_000_000, &[4001, 4003]);
    let mut seam = seen(&file[3900..4000]);
    let (told, gap, _) = read_on(&mut seam, &file, Duration::from_secs(1));
    assert!(!gap);
    assert_eq!(told, file[4000..]);
}

#[test]
fn rotation_is_a_possible_gap() {
    let file = file(5000, 1_000_000, &[]);
    let mut seam = seen(&file[..1000]);
    let (told, gap, _) = read_on(&mut seam, &file[3000..], Duration::from_secs(4));
    assert!(gap);
    assert_eq!(told, file[3000..]);
    // Nothing at all came back.
    let (told, gap, _) = read_on(&mut seen(&file[..1000]), &[], Duration::from_secs(4));
    assert!(gap && told.is_empty());
}

#[test]
fn a_clock_that_was_set_back_loses_nothing_new() {
    let mut all = file(100, 1_000_000, &[]);
    let later = line(all[0].at.0 - 3_600_000_000_000, LogStream::Out, "an hour earlier");
    all.push(later);
    let mut seam = seen(&all);
    let newer = line(all[100].at.0 + 1, LogStream::Out, "new");
    all.push(newer.clone());
    let (told, _, _) = read_on(&mut seam, &all, Duration::from_secs(1));
    assert!(told.contains(&newer));
}

#[test]
fn equal_lines_of_one_moment_are_told_as_often_as_they_are_there() {
    let twin = || line(1_790_000_000_000_000_000, LogStream::Out, "same");
    let mut seam = seen(&[twin(), twin()]);
    let (told, gap, _) = read_on(&mut seam, &[twin(), twin(), twin()], Duration::from_secs(1));
    assert_eq!((told.len(), gap), (1, false));
}

#[test]
fn an_answer_that_repeats_itself_is_caught_at_once() {
    let file = file(3000, 1000, &[]);
    let mut seam = seen(&file[..2000]);
    assert_eq!(seam.judge(&file[1431]), Verdict::Again);
    // What it left out is there for who asks anew; and a second slip soon after the first is one as well.
    let (told, gap, _) = read_on(&mut seam, &file[..2500], Duration::from_secs(1));
    assert_eq!((told.len(), gap), (500, false));
    assert_eq!(seam.judge(&file[2400]), Verdict::Again);
    assert_eq!(seam.judge(&file[2500]), Verdict::New);
}

#[test]
fn a_flood_is_remembered_within_bounds_and_told_once() {
    let file = file(400_000, 1000, &[]);
    let mut seam = seen(&file[..350_000]);
    assert!(seam.seen.len() <= MEMORY_LINES);
    let (told, gap, _) = read_on(&mut seam, &file, Duration::from_secs(1));
    assert!(!gap);
    assert_eq!(told.len(), 50_000);
}

proptest! {
    #[test]
    fn any_cuts_lose_and_double_nothing(
        steps in proptest::collection::vec((-300_000_000i64..900_000_000, any::<bool>(), 0u8..3), 1..300),
        cuts in proptest::collection::vec(0.0f64..1.0, 0..6),
    ) {
        let mut at = 1_790_000_000_000_000_000;
        let file: Vec<LogLine> = steps
            .iter()
            .map(|(step, err, text)| {
                at += step;
                line(at, if *err { LogStream::Err } else { LogStream::Out }, &text.to_string())
            })
            .collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|part| (part * file.len() as f64) as usize).filter(|cut| *cut > 0).collect();
        cuts.sort_unstable();
        let mut seam = Seam::new();
        let mut told: Vec<LogLine> = Vec::new();
        for end in cuts.into_iter().chain([file.len()]) {
            if told.is_empty() {
                for line in &file[..end] {
                    prop_assert_eq!(seam.judge(line), Verdict::New);
                    told.push(line.clone());
                }
            } else {
                let (more, gap, _) = read_on(&mut seam, &file[..end], Duration::from_secs(3));
                prop_assert!(!gap);
                told.extend(more);
            }
        }
        // Inversions beyond two seconds are a clock that was set back: there a line may come twice, and none is lost.
        let mut newest = i64::MIN;
        let steady = file.iter().all(|line| {
            newest = newest.max(line.at.0);
            line.at.0 >= newest - 1_900_000_000
        });
        if steady {
            prop_assert_eq!(told, file);
        } else {
            prop_assert!(file.iter().all(|line| told.contains(line)));
        }
    }
}
