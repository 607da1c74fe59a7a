//! BuildKit's progress as the engine tells it: protocol buffers (`moby.buildkit.v1.StatusResponse`), base64 in the JSON stream of `/build`.
//!
//! Only the fields that are shown are read; what is unknown is passed over, as the format asks
//! (https://protobuf.dev/programming-guides/encoding/, https://github.com/moby/buildkit/blob/master/api/services/control/control.proto).

/// One report of what goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// Steps, each told again when it changes.
    pub vertexes: Vec<Vertex>,
    /// What moves within steps.
    pub statuses: Vec<Status>,
    /// What steps print.
    pub logs: Vec<Log>,
}

/// A step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vertex {
    /// Its name for the rest of the stream.
    pub digest: String,
    /// `[web 1/3] RUN make`.
    pub name: String,
    /// Whether its result was there already.
    pub cached: bool,
    /// Whether it has begun.
    pub started: bool,
    /// Whether it has ended.
    pub completed: bool,
    /// Why it failed; a build may go on all the same.
    pub error: String,
}

/// Something that moves: a layer that is pulled or exported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Its name within the step.
    pub id: String,
    /// The step's digest.
    pub vertex: String,
    /// Bytes so far.
    pub current: u64,
    /// Bytes in all; 0: not known.
    pub total: u64,
    /// Whether it has ended.
    pub completed: bool,
}

/// A piece of a step's output; it may end within a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The step's digest.
    pub vertex: String,
    /// 1 or 2.
    pub stream: u64,
    /// As it came.
    pub bytes: Vec<u8>,
}

/// A field's value.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    /// Fixed-width numbers: none that we read.
    Other,
}

impl Trace {
    /// Reads one report; `None` when it is none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut trace = Self::default();
        each(bytes, |field, value| {
            match (field, value) {
                (1, Value::Bytes(bytes)) => trace.vertexes.push(vertex(bytes)?),
                (2, Value::Bytes(bytes)) => trace.statuses.push(status(bytes)?),
                (3, Value::Bytes(bytes)) => trace.logs.push(log(bytes)?),
                _ => {}
            }
            Some(())
        })?;
        Some(trace)
    }
}

fn vertex(bytes: &[u8]) -> Option<Vertex> {
    let mut vertex = Vertex::default();
    each(bytes, |field, value| {
        match (field, value) {
            (1, Value::Bytes(bytes)) => vertex.digest = text(bytes),
            (3, Value::Bytes(bytes)) => vertex.name = text(bytes),
            (4, Value::Number(number)) => vertex.cached = number != 0,
            (5, Value::Bytes(_)) => vertex.started = true,
            (6, Value::Bytes(_)) => vertex.completed = true,
            (7, Value::Bytes(bytes)) => vertex.error = text(bytes),
            _ => {}
        }
        Some(())
    })?;
    Some(vertex)
}

fn status(bytes: &[u8]) -> Option<Status> {
    let mut status = Status::default();
    each(bytes, |field, value| {
        match (field, value) {
            (1, Value::Bytes(bytes)) => status.id = text(bytes),
            (2, Value::Bytes(bytes)) => status.vertex = text(bytes),
            (4, Value::Number(number)) => status.current = number,
            (5, Value::Number(number)) => status.total = number,
            (8, Value::Bytes(_)) => status.completed = true,
            _ => {}
        }
        Some(())
    })?;
    Some(status)
}

fn log(bytes: &[u8]) -> Option<Log> {
    let mut log = Log::default();
    each(bytes, |field, value| {
        match (field, value) {
            (1, Value::Bytes(bytes)) => log.vertex = text(bytes),
            (3, Value::Number(number)) => log.stream = number,
            (4, Value::Bytes(bytes)) => log.bytes = bytes.to_vec(),
            _ => {}
        }
        Some(())
    })?;
    Some(log)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Hands out every field of a message; `None` when it is cut or no message.
fn each<'a>(mut bytes: &'a [u8], mut take: impl FnMut(u64, Value<'a>) -> Option<()>) -> Option<()> {
    while !bytes.is_empty() {
        let tag = varint(&mut bytes)?;
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut bytes)?),
            2 => {
                let length = usize::try_from(varint(&mut bytes)?).ok()?;
                Value::Bytes(cut(&mut bytes, length)?)
            }
            1 => cut(&mut bytes, 8).map(|_| Value::Other)?,
            5 => cut(&mut bytes, 4).map(|_| Value::Other)?,
            _ => return None,
        };
        take(tag >> 3, value)?;
    }
    Some(())
}

fn cut<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (part, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(part)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for place in 0..10 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(7 * place)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(mut number: u64, out: &mut Vec<u8>) {
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }

    fn bytes(field: u64, bytes: &[u8], out: &mut Vec<u8>) {
        number(field << 3 | 2, out);
        number(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }

    /// A report as BuildKit writes it.
    pub fn encode(trace: &Trace) -> Vec<u8> {
        let mut out = Vec::new();
        for vertex in &trace.vertexes {
            let mut inner = Vec::new();
            bytes(1, vertex.digest.as_bytes(), &mut inner);
            bytes(2, b"sha256:input", &mut inner);
            bytes(3, vertex.name.as_bytes(), &mut inner);
            if vertex.cached {
                number(4 << 3, &mut inner);
                number(1, &mut inner);
            }
            for (field, there) in [(5, vertex.started), (6, vertex.completed)] {
                if there {
                    bytes(field, &[0x08, 0x01], &mut inner);
                }
            }
            bytes(7, vertex.error.as_bytes(), &mut inner);
            bytes(1, &inner, &mut out);
        }
        for status in &trace.statuses {
            let mut inner = Vec::new();
            bytes(1, status.id.as_bytes(), &mut inner);
            bytes(2, status.vertex.as_bytes(), &mut inner);
            for (field, value) in [(4, status.current), (5, status.total)] {
                number(field << 3, &mut inner);
                number(value, &mut inner);
            }
            if status.completed {
                bytes(8, &[], &mut inner);
            }
            bytes(2, &inner, &mut out);
        }
        for log in &trace.logs {
            let mut inner = Vec::new();
            bytes(1, log.vertex.as_bytes(), &mut inner);
            number(3 << 3, &mut inner);
            number(log.stream, &mut inner);
            bytes(4, &log.bytes, &mut inner);
            bytes(3, &inner, &mut out);
        }
        out
    }

    #[test]
    fn a_report_reads_back() {
        let trace = Trace {
            vertexes: vec![
                Vertex {
                    digest: "sha256:1".into(),
                    name: "[1/2] FROM base".into(),
                    cached: true,
                    started: true,
                    completed: true,
                    error: String::new(),
                },
                Vertex { digest: "sha256:2".into(), name: "[2/2] RUN x".into(), error: "exit code: 3".into(), ..Vertex::default() },
            ],
            statuses: vec![Status { id: "sha256:a".into(), vertex: "sha256:1".into(), current: 1 << 40, total: u64::MAX, completed: true }],
            logs: vec![Log { vertex: "sha256:2".into(), stream: 2, bytes: b"half a li\xff".to_vec() }],
        };
        assert_eq!(Trace::parse(&encode(&trace)), Some(trace));
        assert_eq!(Trace::parse(&[]), Some(Trace::default()));
        // Fields and kinds that are not ours: a group is none of this version's.
        assert_eq!(Trace::parse(&[0x7d, 1, 2, 3, 4, 0x79, 1, 2, 3, 4, 5, 6, 7, 8]), Some(Trace::default()));
        assert_eq!(Trace::parse(&[0x0b]), None);
        assert_eq!(Trace::parse(&[0x0a, 0x05, 1]), None);
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Trace::parse(&bytes);
        }
    }
}
