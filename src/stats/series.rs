//! The history of one session in a fixed number of points: new ones exact, old ones coarser and coarser.

use chrono::{DateTime, Utc};

/// How many points a history has at most.
pub const POINTS: usize = 256;
/// Between two points that are further apart than this nobody looked: the chart shows nothing there.
const GAP_S: u32 = 150;

/// What is remembered of a container, by its place in a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Processors in use.
    Cpu,
    /// The working set in bytes.
    Memory,
    /// Bytes received a second.
    Received,
    /// Bytes sent a second.
    Sent,
    /// Bytes read a second.
    Read,
    /// Bytes written a second.
    Written,
    /// Processes and threads.
    Pids,
}

/// How many measures a container has.
pub const MEASURES: usize = 7;

/// One point: values over the seconds that end at a moment. What was not known is no number.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Point<const N: usize> {
    /// Seconds since 1970.
    at: u32,
    /// For how many seconds before it stands.
    span: u32,
    values: [f32; N],
}

/// A history of `N` values, at most [`Series::BYTES`] large.
#[derive(Clone, Debug, PartialEq)]
pub struct Series<const N: usize> {
    points: Vec<Point<N>>,
}

impl<const N: usize> Default for Series<N> {
    fn default() -> Self {
        Self { points: Vec::new() }
    }
}

impl<const N: usize> Series<N> {
    /// The most memory that one history takes.
    pub const BYTES: usize = POINTS * size_of::<Point<N>>();

    /// Adds values; those of an earlier moment than the last are ignored.
    pub fn push(&mut self, at: DateTime<Utc>, values: [Option<f64>; N]) {
        let Ok(at) = u32::try_from(at.timestamp()) else { return };
        let span = match self.points.last() {
            Some(last) if at < last.at => return,
            // Two within a second are one.
            Some(last) => at - last.at,
            None => 1,
        };
        let values = values.map(|value| value.map_or(f32::NAN, |value| value as f32));
        if span == 0 {
            if let Some(last) = self.points.last_mut() {
                last.values = values;
            }
            return;
        }
        if self.points.len() == POINTS {
            self.thin();
        } else if self.points.len() == self.points.capacity() {
            // In steps, and never beyond the declared bytes.
            self.points.reserve_exact(self.points.len().max(8).min(POINTS - self.points.len()));
        }
        self.points.push(Point { at, span: if span > GAP_S { 1 } else { span }, values });
    }

    /// Makes room: of the older half every two neighbours become one. Where gaps prevent that, the oldest go.
    fn thin(&mut self) {
        let mut thinned: Vec<Point<N>> = Vec::with_capacity(POINTS);
        let (old, new) = self.points.split_at(POINTS / 2);
        let mut rest = old.iter().copied();
        let mut held = rest.next();
        for next in rest {
            match held {
                Some(point) if point.at + next.span == next.at => {
                    thinned.push(join(point, next));
                    held = None;
                }
                Some(point) => {
                    thinned.push(point);
                    held = Some(next);
                }
                None => held = Some(next),
            }
        }
        thinned.extend(held);
        thinned.extend_from_slice(new);
        let spare = thinned.len().saturating_sub(POINTS * 7 / 8);
        self.points.clear();
        self.points.extend_from_slice(&thinned[spare..]);
    }

    /// Whether nothing was ever added.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// When its first and last values stand, in seconds since 1970.
    pub fn range(&self) -> Option<(i64, i64)> {
        let (first, last) = self.points.first().zip(self.points.last())?;
        Some((i64::from(first.at.saturating_sub(first.span)), i64::from(last.at)))
    }

    /// Adds this history's value to every cell of a chart whose cells share the time from `from` to `to` (seconds since 1970) evenly; a
    /// cell that no history touches stays `None`. Points in one cell count by their mean.
    pub fn add_to(&self, cells: &mut [Option<f64>], value: usize, from: i64, to: i64) {
        let count = cells.len();
        if count == 0 || to <= from || value >= N {
            return;
        }
        let width = (to - from) as f64 / count as f64;
        let cell_of = |second: i64| ((second - from) as f64 / width).floor();
        let first = self.points.partition_point(|point| i64::from(point.at) < from);
        let mut open: Option<(usize, f64, f64)> = None;
        let mut put = |cell: usize, sum: f64, weight: f64| {
            if let Some(cell) = cells.get_mut(cell) {
                *cell = Some(cell.unwrap_or(0.0) + sum / weight);
            }
        };
        for point in &self.points[first..] {
            let number = f64::from(point.values[value]);
            if number.is_nan() {
                continue;
            }
            let start = cell_of(i64::from(point.at) - i64::from(point.span) + 1).max(0.0) as usize;
            let end = cell_of(i64::from(point.at)).min(count as f64 - 1.0);
            if end < 0.0 || start >= count {
                continue;
            }
            for cell in start..=(end as usize) {
                open = match open {
                    Some((at, sum, weight)) if at == cell => Some((cell, sum + number, weight + 1.0)),
                    // A cell that was left is done: points come in their order.
                    Some((at, sum, weight)) if at < cell => {
                        put(at, sum, weight);
                        Some((cell, number, 1.0))
                    }
                    Some(later) => Some(later),
                    None => Some((cell, number, 1.0)),
                };
            }
        }
        if let Some((cell, sum, weight)) = open {
            put(cell, sum, weight);
        }
    }
}

/// Two neighbours as one, each by the time it stands for.
fn join<const N: usize>(earlier: Point<N>, later: Point<N>) -> Point<N> {
    let (a, b) = (earlier.span as f32, later.span as f32);
    let mut values = later.values;
    for (value, before) in values.iter_mut().zip(earlier.values) {
        *value = match (before.is_nan(), value.is_nan()) {
            (false, false) => (before * a + *value * b) / (a + b),
            (false, true) => before,
            (true, _) => *value,
        };
    }
    Point { at: later.at, span: earlier.span + later.span, values }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
    }

    fn cells(series: &Series<1>, from: i64, to: i64, count: usize) -> Vec<Option<f64>> {
        let mut cells = vec![None; count];
        series.add_to(&mut cells, 0, 1_790_000_000 + from, 1_790_000_000 + to);
        cells
    }

    #[test]
    fn its_size_is_what_is_declared() {
        assert_eq!(Series::<MEASURES>::BYTES, 256 * 36);
        let mut series = Series::<1>::default();
        for second in 0..10_000 {
            series.push(at(second), [Some(1.0)]);
            assert!(series.points.capacity() <= POINTS, "{}", series.points.capacity());
        }
    }

    #[test]
    fn cells_hold_means_and_gaps_stay_empty() {
        let mut series = Series::default();
        for (second, value) in [(2, 1.0), (4, 3.0), (6, 5.0), (900, 7.0)] {
            series.push(at(second), [Some(value)]);
        }
        assert_eq!(cells(&series, 0, 9, 3), [Some(1.0), Some(4.0), Some(5.0)]);
        assert_eq!(cells(&series, 0, 1000, 10), [Some(3.0), None, None, None, None, None, None, None, None, Some(7.0)]);
        let mut twice = vec![None; 3];
        series.add_to(&mut twice, 0, 1_790_000_000, 1_790_000_009);
        series.add_to(&mut twice, 0, 1_790_000_000, 1_790_000_009);
        assert_eq!(twice, [Some(2.0), Some(8.0), Some(10.0)], "histories add up");
    }

    #[test]
    fn a_long_session_is_kept_whole_and_its_mean_stays() {
        let mut series = Series::default();
        for step in 0..20_000i64 {
            series.push(at(step * 2), [Some((step % 10) as f64)]);
        }
        let (from, to) = series.range().unwrap();
        assert!(from <= 1_790_000_000 && to == 1_790_000_000 + 39_998, "{from} {to}");
        let all: Vec<f64> = cells(&series, 0, 40_000, 20).into_iter().map(Option::unwrap).collect();
        assert!(all.iter().all(|value| (value - 4.5).abs() < 0.5), "{all:?}");
    }

    proptest! {
        #[test]
        fn it_stays_in_order_and_in_bounds(steps in prop::collection::vec((0i64..400, any::<Option<f32>>()), 0..1500)) {
            let mut series = Series::<1>::default();
            let mut now = 0;
            for (step, value) in steps {
                now += step;
                series.push(at(now), [value.map(f64::from)]);
                prop_assert!(series.points.len() <= POINTS);
            }
            for pair in series.points.windows(2) {
                prop_assert!(pair[0].at < pair[1].at && pair[1].at - pair[1].span >= pair[0].at);
            }
            cells(&series, -10, now + 10, 40);
        }
    }
}
