//! What a line costs: the whole way from frames to a filtered, merged stream, for benchmarks. Pure: the clock is an argument.

use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Filter, Framing, LineDecoder, LogLine, Merge, SourceId};

/// The outcome of [`run`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// How many lines went in.
    pub lines: u64,
    /// How many passed the filter and came out of the merge.
    pub shown: u64,
    /// Decoding frames: stamps, levels, joining.
    pub decode: Duration,
    /// Filtering and merging.
    pub merge: Duration,
}

impl Measure {
    /// Lines each second over both parts.
    pub fn rate(&self) -> f64 {
        self.lines as f64 / (self.decode + self.merge).as_secs_f64().max(1e-9)
    }
}

/// Chunks as an engine sends them: `lines` records of about 115 bytes each in frames, 16 KiB a chunk; the `nth` of `of` sources, whose stamps interleave.
pub fn chunks(lines: u64, nth: u64, of: u64) -> Vec<Bytes> {
    let mut chunks = Vec::new();
    let mut chunk = Vec::with_capacity(20_000);
    for n in 0..lines {
        let at = super::Stamp(1_790_000_000_000_000_000 + ((n * of + nth) * 37_000).cast_signed());
        let level = ["INFO ", "INFO ", "INFO ", "DEBUG", "INFO ", "WARN ", "INFO ", "ERROR"][(n % 8) as usize];
        let text = format!("{at} {level} request {n} from 10.0.3.{} took {} ms path=/api/orders/{}\n", n % 250, n % 977, n * 7);
        chunk.extend_from_slice(&[1 + u8::from(n % 8 == 7), 0, 0, 0]);
        chunk.extend_from_slice(&u32::try_from(text.len()).unwrap_or_default().to_be_bytes());
        chunk.extend_from_slice(text.as_bytes());
        if chunk.len() >= 16 * 1024 {
            chunks.push(Bytes::from(std::mem::take(&mut chunk)));
        }
    }
    chunks.push(Bytes::from(chunk));
    chunks
}

/// Decodes, filters and merges `sources`, each a list of chunks, in turns of one chunk, and counts what comes out. `clock` tells the time.
pub fn run(sources: &[Vec<Bytes>], filter: &Filter, clock: impl Fn() -> Instant) -> Measure {
    let mut measure = Measure { lines: 0, shown: 0, decode: Duration::ZERO, merge: Duration::ZERO };
    let ids = || (0..).map(SourceId);
    let mut decoders: Vec<LineDecoder> = ids().take(sources.len()).map(|id| LineDecoder::new(id, Framing::Multiplexed)).collect();
    let mut merge: Merge<LogLine> = Merge::live();
    let longest = sources.iter().map(Vec::len).max().unwrap_or(0);
    let mut lines = Vec::new();
    for turn in 0..longest {
        for ((source, decoder), id) in sources.iter().zip(&mut decoders).zip(ids()) {
            let Some(chunk) = source.get(turn) else { continue };
            let start = clock();
            if decoder.push(chunk.clone(), &mut lines).is_err() {
                return measure;
            }
            let decoded = clock();
            measure.lines += lines.len() as u64;
            for line in lines.drain(..).filter(|line| filter.matches(line)) {
                merge.push(id, line, decoded);
            }
            while let Some(_line) = merge.pop(decoded) {
                measure.shown += 1;
            }
            measure.decode += decoded - start;
            measure.merge += clock() - decoded;
        }
    }
    let start = clock();
    ids().take(sources.len()).for_each(|id| merge.close(id));
    while let Some(_line) = merge.pop(start) {
        measure.shown += 1;
    }
    measure.merge += clock() - start;
    measure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_passes_comes_out() {
        let sources: Vec<_> = (0..4).map(|n| chunks(2000, n, 4)).collect();
        let measure = run(&sources, &Filter::new(), Instant::now);
        assert_eq!((measure.lines, measure.shown), (8000, 8000));
        let mut filter = Filter::new();
        filter.set_level(Some(super::super::Level::Warn));
        assert_eq!(run(&sources, &filter, Instant::now).shown, 2000);
    }
}
