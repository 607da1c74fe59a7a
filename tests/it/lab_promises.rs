//! One pass of every promise on the real lab. `make prove` runs the same points at full length.

#[path = "../prove/points/mod.rs"]
mod points;
#[path = "../prove/stage/mod.rs"]
pub mod stage;

use stage::{Length, lab::Lab, report::Report};

/// One test, because the points share the lab and take turns on it.
#[test]
fn promises_hold_on_the_lab() {
    let _turn = crate::lab::turn();
    let lab = match Lab::up(points::HOSTS, points::SERVERS) {
        Ok(lab) => lab,
        Err(reason) => {
            println!("SKIPPED: no lab on this machine: {reason}");
            return;
        }
    };
    let mut failed = Vec::new();
    for point in points::ALL {
        let mut report = Report::new(point.name, point.title, Length::Short);
        (point.run)(&mut report, &lab, Length::Short);
        failed.extend(report.failures().into_iter().map(|failure| format!("{}: {failure}", point.name)));
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
