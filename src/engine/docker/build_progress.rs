//! The stream of `POST /build`, line by line → what is shown of a build. Pure; the classic builder and BuildKit come out alike.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::build_trace::Trace;
use crate::text::{clean, clean_line};

/// So many of a step's last lines stand beside its failure.
const TAIL: usize = 20;
/// A line that is longer is cut here: output may have none at all.
const LINE_LIMIT: usize = 4096;

/// What happens in a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildEvent {
    /// A step began, or its result was there already.
    Step {
        /// From 1, and of how many; `None` where the builder does not count.
        place: Option<(u32, u32)>,
        /// The instruction.
        text: Arc<str>,
        /// Whether nothing had to be done for it.
        cached: bool,
    },
    /// A line that a step prints.
    Output(Arc<str>),
    /// A layer of a base image on its way.
    Layer {
        /// Its short name.
        id: Arc<str>,
        /// `Downloading`, `Extracting`.
        phase: Arc<str>,
        /// Bytes so far and, where known, in all.
        bytes: Option<(u64, Option<u64>)>,
    },
    /// The image is there, under this id.
    Image(Arc<str>),
}

/// How a build ended that has no image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFailure {
    /// The instruction that failed; `None` when it was none.
    pub step: Option<Arc<str>>,
    /// The builder's words.
    pub reason: String,
    /// What the step printed last.
    pub tail: Vec<Arc<str>>,
}

/// One line of the stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    stream: Option<String>,
    status: Option<String>,
    id: Option<String>,
    aux: Option<serde_json::Value>,
    error: Option<String>,
    #[serde(rename = "errorDetail")]
    error_detail: Option<Detail>,
    #[serde(rename = "progressDetail")]
    progress: Option<Progress>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Progress {
    current: Option<u64>,
    total: Option<u64>,
}

/// Reads a stream.
#[derive(Debug, Default)]
pub struct BuildReader {
    steps: HashMap<String, Step>,
    /// The classic builder's step, or the one of BuildKit's that failed.
    step: Option<Arc<str>>,
    tail: VecDeque<Arc<str>>,
    /// The classic builder's output, which may be cut within a line.
    rest: String,
}

#[derive(Debug, Default)]
struct Step {
    name: Arc<str>,
    told: bool,
    error: String,
    rest: String,
    tail: VecDeque<Arc<str>>,
}

impl BuildReader {
    /// Takes one line; what it tells is appended.
    ///
    /// # Errors
    /// The builder's word that it failed: the stream is over.
    pub fn take(&mut self, line: &[u8], events: &mut Vec<BuildEvent>) -> Result<(), StepFailure> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let Ok(line) = serde_json::from_slice::<Line>(line) else {
            // Podman and proxies may say something of their own in between.
            events.push(BuildEvent::Output(clean_line(&String::from_utf8_lossy(line)).into()));
            return Ok(());
        };
        if let Some(text) = line.stream {
            self.classic(&text, events);
        }
        match (line.id.as_deref(), line.aux) {
            (Some("moby.buildkit.trace"), Some(serde_json::Value::String(text))) => {
                if let Some(trace) = BASE64_STANDARD.decode(text).ok().and_then(|bytes| Trace::parse(&bytes)) {
                    self.trace(&trace, events);
                }
            }
            (_, Some(aux)) => {
                let id = aux.get("ID").and_then(serde_json::Value::as_str).filter(|id| !id.is_empty());
                events.extend(id.map(|id| BuildEvent::Image(clean(id).as_ref().into())));
            }
            (Some(id), None) => {
                let bytes = line.progress.and_then(|progress| Some((progress.current?, progress.total)));
                let phase = clean_line(line.status.as_deref().unwrap_or_default());
                events.push(BuildEvent::Layer { id: clean(id).as_ref().into(), phase: phase.into(), bytes });
            }
            (None, None) => events.extend(line.status.map(|status| BuildEvent::Output(clean_line(&status).into()))),
        }
        match line.error_detail.map(|detail| detail.message).filter(|message| !message.is_empty()).or(line.error) {
            Some(reason) => Err(self.failure(&reason)),
            None => Ok(()),
        }
    }

    fn failure(&mut self, reason: &str) -> StepFailure {
        // A step may fail without harm, and one that was cancelled is not to blame: the one whose words are the build's.
        let to_blame = |step: &&mut Step| !step.error.is_empty() && reason.contains(&step.error);
        if let Some(failed) = self.steps.values_mut().find(to_blame) {
            self.step = Some(Arc::clone(&failed.name));
            self.tail = std::mem::take(&mut failed.tail);
            flush(&mut failed.rest, &mut self.tail);
        } else {
            flush(&mut self.rest, &mut self.tail);
        }
        StepFailure { step: self.step.clone(), reason: clean_line(reason), tail: self.tail.iter().cloned().collect() }
    }

    fn classic(&mut self, text: &str, events: &mut Vec<BuildEvent>) {
        self.rest.push_str(text);
        for line in lines(&mut self.rest) {
            // The end of a colour may stand before a line of the builder's own.
            let line = plain(&line);
            if let Some((place, instruction)) = step_of(&line) {
                let text: Arc<str> = clean_line(instruction).into();
                self.step = Some(Arc::clone(&text));
                self.tail.clear();
                events.push(BuildEvent::Step { place: Some(place), text, cached: false });
            } else if line == " ---> Using cache" {
                if let Some(BuildEvent::Step { cached, .. }) =
                    events.iter_mut().rev().find(|event| matches!(event, BuildEvent::Step { .. }))
                {
                    *cached = true;
                }
            } else if !is_chatter(&line) {
                let line = shown(&line);
                keep(&mut self.tail, Arc::clone(&line));
                events.push(BuildEvent::Output(line));
            }
        }
    }

    fn trace(&mut self, trace: &Trace, events: &mut Vec<BuildEvent>) {
        for vertex in &trace.vertexes {
            let step = self.steps.entry(vertex.digest.clone()).or_default();
            if !vertex.error.is_empty() {
                step.error.clone_from(&vertex.error);
            }
            if step.name.is_empty() {
                step.name = clean_line(&vertex.name).into();
            }
            if (vertex.started || vertex.completed || vertex.cached) && !step.told && !is_internal(&vertex.name) {
                step.told = true;
                events.push(BuildEvent::Step { place: place(&vertex.name), text: Arc::clone(&step.name), cached: vertex.cached });
            }
        }
        for status in trace.statuses.iter().filter(|status| status.total > 0) {
            let id = status.id.rsplit(':').next().unwrap_or(&status.id);
            let phase = if status.completed { "Done" } else { "Moving" };
            let id: Arc<str> = clean(id.get(..12).unwrap_or(id)).as_ref().into();
            events.push(BuildEvent::Layer { id, phase: phase.into(), bytes: Some((status.current, Some(status.total))) });
        }
        for log in &trace.logs {
            let step = self.steps.entry(log.vertex.clone()).or_default();
            step.rest.push_str(&String::from_utf8_lossy(&log.bytes));
            for line in lines(&mut step.rest) {
                let line = shown(&line);
                keep(&mut step.tail, Arc::clone(&line));
                events.push(BuildEvent::Output(line));
            }
        }
    }
}

/// Takes whole lines off the front; what has no end yet stays, unless it is too long for a line.
fn lines(rest: &mut String) -> Vec<String> {
    let mut found = Vec::new();
    while let Some(at) = rest.find('\n') {
        let line: String = rest.drain(..=at).collect();
        found.push(line.trim_end_matches(['\n', '\r']).to_owned());
    }
    if rest.len() > LINE_LIMIT {
        found.push(std::mem::take(rest));
    }
    found
}

fn flush(rest: &mut String, tail: &mut VecDeque<Arc<str>>) {
    if !rest.trim().is_empty() {
        keep(tail, shown(rest));
    }
    rest.clear();
}

fn keep(tail: &mut VecDeque<Arc<str>>, line: Arc<str>) {
    if tail.len() == TAIL {
        tail.pop_front();
    }
    tail.push_back(line);
}

/// A line of foreign output, and of what a progress bar wrote over itself only the last.
fn shown(line: &str) -> Arc<str> {
    let plain = plain(line);
    let last = plain.rsplit('\r').find(|part| !part.is_empty()).unwrap_or_default();
    clean(last).as_ref().into()
}

/// Without colours.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("\x1b[") {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let end = after.find(|c: char| ('\x40'..='\x7e').contains(&c)).map_or(after.len(), |end| end + 1);
        rest = &after[end..];
    }
    plain.push_str(rest);
    plain
}

/// `Step 2/7 : RUN make`; Podman's `[1/2] STEP 2/7: RUN make`, of the stages of the target.
fn step_of(line: &str) -> Option<((u32, u32), &str)> {
    let podman = || {
        let line = if line.starts_with('[') { line.split_once("] ")?.1 } else { line };
        line.strip_prefix("STEP ")?.split_once(": ")
    };
    let (count, instruction) = line.strip_prefix("Step ").and_then(|rest| rest.split_once(" : ")).or_else(podman)?;
    let (number, of) = count.split_once('/')?;
    Some(((number.parse().ok()?, of.parse().ok()?), instruction))
}

/// What the classic builder says of itself.
fn is_chatter(line: &str) -> bool {
    const BEGINNINGS: [&str; 5] = ["---> ", "--> ", "Removing intermediate container ", "Successfully built ", "Successfully tagged "];
    let line = line.trim_start();
    let is_id = line.len() == 64 && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id || line.is_empty() || BEGINNINGS.iter().any(|begin| line.starts_with(begin))
}

/// What BuildKit does for itself.
fn is_internal(name: &str) -> bool {
    ["[internal]", "copy /context", "exporting "].iter().any(|begin| name.starts_with(begin))
}

/// `[web 2/3] RUN make` → 2 of 3.
fn place(name: &str) -> Option<(u32, u32)> {
    let (inside, _) = name.strip_prefix('[')?.split_once(']')?;
    let (number, of) = inside.rsplit(' ').next()?.split_once('/')?;
    Some((number.trim().parse().ok()?, of.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::build_trace::{Log, Status, Vertex, tests::encode},
        *,
    };

    fn read(lines: &[String]) -> (Vec<BuildEvent>, Option<StepFailure>) {
        let (mut reader, mut events) = (BuildReader::default(), Vec::new());
        for line in lines {
            if let Err(failure) = reader.take(line.as_bytes(), &mut events) {
                return (events, Some(failure));
            }
        }
        (events, None)
    }

    fn stream(text: &str) -> String {
        serde_json::json!({ "stream": text }).to_string()
    }

    fn traced(trace: &Trace) -> String {
        serde_json::json!({ "id": "moby.buildkit.trace", "aux": BASE64_STANDARD.encode(encode(trace)) }).to_string()
    }

    fn step(number: u32, of: u32, text: &str, cached: bool) -> BuildEvent {
        BuildEvent::Step { place: Some((number, of)), text: text.into(), cached }
    }

    #[test]
    fn the_classic_builder() {
        let lines = [
            stream("Step 1/3 : FROM base"),
            stream("\n"),
            stream(" ---> 77c0de\n"),
            stream("Step 2/3 : RUN make\n"),
            stream(" ---> Using cache\n"),
            stream(" ---> 77c0df\n"),
            stream("Step 3/3 : RUN test\n"),
            stream(" ---> Running in 1234\n"),
            stream("\u{1b}[91mhalf "),
            stream("a line\n\u{1b}[0m"),
            r#"{"status":"Downloading","progressDetail":{"current":5,"total":9},"id":"ab12"}"#.to_owned(),
            r#"{"aux":{"ID":"sha256:1"}}"#.to_owned(),
            stream("Successfully built 1234\n"),
        ];
        let (events, failure) = read(&lines);
        let expected = [
            step(1, 3, "FROM base", false),
            step(2, 3, "RUN make", true),
            step(3, 3, "RUN test", false),
            BuildEvent::Output("half a line".into()),
            BuildEvent::Layer { id: "ab12".into(), phase: "Downloading".into(), bytes: Some((5, Some(9))) },
            BuildEvent::Image("sha256:1".into()),
        ];
        assert_eq!(events, expected);
        assert_eq!(failure, None);

        let failing = r#"{"errorDetail":{"code":3,"message":"The command '/bin/sh -c test' returned a non-zero code: 3"},"error":"x"}"#;
        let (_, failure) = read(&[&lines[..10], &[stream("no end"), failing.to_owned()]].concat());
        let failure = failure.unwrap();
        assert_eq!((failure.step.as_deref(), failure.tail.last().map(|line| &**line)), (Some("RUN test"), Some("no end")));
        assert!(failure.reason.ends_with("non-zero code: 3"));
    }

    #[test]
    fn buildkit() {
        let vertex = |digest: &str, name: &str| Vertex { digest: digest.into(), name: name.into(), ..Vertex::default() };
        let (internal, from, run) = (vertex("0", "[internal] load"), vertex("1", "[web 1/2] FROM base"), vertex("2", "[web 2/2] RUN make"));
        let begun = |vertex: &Vertex| Vertex { started: true, ..vertex.clone() };
        let reports = [
            Trace { vertexes: vec![begun(&internal), from.clone(), run.clone()], ..Trace::default() },
            Trace { vertexes: vec![Vertex { cached: true, ..begun(&from) }], ..Trace::default() },
            Trace { vertexes: vec![begun(&from), begun(&run)], ..Trace::default() },
            Trace {
                statuses: vec![Status {
                    id: "extracting sha256:abcdef0123456789".into(),
                    vertex: "1".into(),
                    current: 1,
                    total: 2,
                    completed: false,
                }],
                logs: vec![
                    Log { vertex: "2".into(), stream: 1, bytes: b"one\ntw".to_vec() },
                    Log { vertex: "2".into(), stream: 2, bytes: b"o\nthree".to_vec() },
                ],
                ..Trace::default()
            },
            Trace {
                vertexes: vec![Vertex {
                    error: "executor failed running [/bin/sh -c make]: exit code: 3".into(),
                    completed: true,
                    ..begun(&run)
                }],
                ..Trace::default()
            },
        ];
        let failing = r#"{"errorDetail":{"message":"failed to solve: executor failed running [/bin/sh -c make]: exit code: 3"},"error":"executor failed"}"#;
        let lines: Vec<String> = reports.iter().map(traced).chain([failing.to_owned()]).collect();
        let (events, failure) = read(&lines);
        let expected = [
            step(1, 2, "[web 1/2] FROM base", true),
            step(2, 2, "[web 2/2] RUN make", false),
            BuildEvent::Layer { id: "abcdef012345".into(), phase: "Moving".into(), bytes: Some((1, Some(2))) },
            BuildEvent::Output("one".into()),
            BuildEvent::Output("two".into()),
        ];
        assert_eq!(events, expected);
        let failure = failure.unwrap();
        assert_eq!(failure.step.as_deref(), Some("[web 2/2] RUN make"));
        assert_eq!(failure.tail.iter().map(|line| &**line).collect::<Vec<_>>(), ["one", "two", "three"]);
        assert_eq!(failure.reason, "failed to solve: executor failed running [/bin/sh -c make]: exit code: 3");
    }

    #[test]
    fn podman() {
        let id = "2ae2a34c9b7314dff5498910da2e198ba5554472fc236cd7c53b50743cf45fa2";
        let lines = [
            stream("[1/2] STEP 2/4: RUN make\n"),
            stream("made\n"),
            stream("--> 1959b261873\n"),
            stream("STEP 1/1: FROM base\n"),
            stream(&format!("{id}\n")),
            format!(r#"{{"aux":{{"ID":"sha256:{id}"}}}}"#),
        ];
        let image = BuildEvent::Image(format!("sha256:{id}").into());
        let expected = [step(2, 4, "RUN make", false), BuildEvent::Output("made".into()), step(1, 1, "FROM base", false), image];
        assert_eq!(read(&lines), (expected.to_vec(), None));
    }

    #[test]
    fn the_image() {
        let lines = [r#"{"id":"moby.image.id","aux":{"ID":"sha256:ab"}}"#.to_owned(), "no json\u{1b}[2J".to_owned()];
        let (events, _) = read(&lines);
        assert_eq!(events, [BuildEvent::Image("sha256:ab".into()), BuildEvent::Output("no json␛[2J".into())]);
    }

    proptest! {
        #[test]
        fn foreign_lines_never_panic(text in any::<String>(), other in "[\u{1b}\\[0-9;m\r\na-cü]{0,40}") {
            let (mut reader, mut events) = (BuildReader::default(), Vec::new());
            let _ = reader.take(text.as_bytes(), &mut events);
            let _ = reader.take(stream(&other).as_bytes(), &mut events);
            prop_assert!(events.iter().all(|event| !matches!(event, BuildEvent::Output(text) if text.chars().any(char::is_control))));
        }
    }
}
