//! What HAProxy's runtime API answers, read. Columns are found by their names; everything else is foreign input and may be anything. Pure.
//!
//! Formats: management guide, "show servers state", "show stat", "show info" (HAProxy 2.0 and later).

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use super::super::{Backend, Check, Counters, Slot, slot::SlotState};

/// Forced maintenance, inherited maintenance, maintenance for want of an address. Not `disabled` in the file (4): that bit stays set when
/// the server has long been made ready.
const IN_MAINTENANCE: u32 = 0x01 | 0x02 | 0x20;
/// Forced drain, inherited drain.
const DRAINS: u32 = 0x08 | 0x10;
/// A check is under way.
const CHECKING: u32 = 0x01;
/// The server line has `check`.
const HAS_CHECK: u32 = 0x02;
/// And it is not disabled.
const CHECK_ENABLED: u32 = 0x04;

/// One line of `show servers state`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub backend: String,
    pub name: String,
    pub address: Option<SocketAddr>,
    /// 0 stopped, 1 starting, 2 running, 3 stopping.
    pub op: u32,
    pub admin: u32,
    pub weight: u32,
    /// The weight of its line in the file.
    pub initial: u32,
    pub since: u64,
    pub check: u32,
    /// The port that its checks go to, where it is another than its own.
    pub check_port: u16,
    /// Its line holds a name and no address: only then does the server-state file bring its address back.
    pub named: bool,
}

/// One line of `show stat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stat {
    pub backend: String,
    pub name: String,
    pub kind: StatKind,
    pub sessions: u32,
    pub counters: Counters,
    pub latency_ms: u64,
    /// Whether all checks since it left maintenance passed, and there was at least one; `None` where its figures cannot tell.
    pub fresh: Option<bool>,
    /// What its last check said.
    pub said: String,
    /// A backend's cookie.
    pub cookie: String,
}

/// What a line of `show stat` is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatKind {
    Backend,
    Server,
}

impl Server {
    pub(super) fn state(&self) -> SlotState {
        match () {
            () if self.admin & IN_MAINTENANCE != 0 => SlotState::Maint,
            () if self.admin & DRAINS != 0 => SlotState::Drain,
            () => SlotState::Ready,
        }
    }

    pub(super) fn has_check(&self) -> bool {
        self.check & HAS_CHECK != 0
    }

    pub(super) fn check_enabled(&self) -> bool {
        self.check & CHECK_ENABLED != 0
    }

    pub(super) fn is_checking(&self) -> bool {
        self.check & CHECKING != 0
    }

    fn runs(&self) -> bool {
        matches!(self.op, 1 | 2)
    }
}

/// A table's rows by column name; `None`: there is no such table in the text.
struct Table<'a> {
    columns: HashMap<&'a str, usize>,
}

impl<'a> Table<'a> {
    fn new(names: impl Iterator<Item = &'a str>) -> Self {
        Self { columns: names.enumerate().map(|(place, name)| (name, place)).collect() }
    }

    fn place(&self, name: &str) -> Result<usize, String> {
        self.columns.get(name).copied().ok_or_else(|| format!("there is no column {name}"))
    }
}

/// Reads `show servers state`.
pub(super) fn servers(text: &str) -> Result<Vec<Server>, String> {
    let mut lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    match lines.next() {
        Some("1") => {}
        Some(other) => return Err(format!("the format is {:?}, not 1", crate::text::clean_line(other))),
        None => return Err("it is empty".to_owned()),
    }
    let header = lines.next().and_then(|line| line.strip_prefix("# ")).ok_or("there is no header")?;
    let table = Table::new(header.split_ascii_whitespace());
    let place = |name: &str| table.place(name);
    let (backend, name, address, port) = (place("be_name")?, place("srv_name")?, place("srv_addr")?, place("srv_port")?);
    let (op, admin, weight, initial) = (place("srv_op_state")?, place("srv_admin_state")?, place("srv_uweight")?, place("srv_iweight")?);
    let (since, check) = (place("srv_time_since_last_change")?, place("srv_check_state")?);
    // Older ones have no port of its own for checks.
    let (check_port, name_of) = (place("srv_check_port").ok(), place("srv_fqdn").ok());
    let mut found = Vec::new();
    for line in lines {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let field = |place: usize| fields.get(place).copied().ok_or_else(|| format!("a line of {} fields", fields.len()));
        found.push(Server {
            backend: crate::text::clean_line(field(backend)?),
            name: crate::text::clean_line(field(name)?),
            address: socket(field(address)?, field(port)?),
            op: number(field(op)?)?,
            admin: number(field(admin)?)?,
            weight: number::<u32>(field(weight)?)?.min(super::share::LARGEST),
            initial: number::<u32>(field(initial)?)?.min(super::share::LARGEST),
            since: number(field(since)?)?,
            check: number(field(check)?)?,
            check_port: check_port.map_or(Ok("0"), field)?.parse().unwrap_or(0),
            named: name_of.map_or(Ok("-"), field)? != "-",
        });
    }
    Ok(found)
}

fn socket(address: &str, port: &str) -> Option<SocketAddr> {
    Some(SocketAddr::new(address.parse().ok()?, port.parse().ok()?))
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{:?} is no number", crate::text::clean_line(text)))
}

/// Reads `show stat`: servers and backends, without frontends and listeners.
pub(super) fn stats(text: &str) -> Result<Vec<Stat>, String> {
    let text = text.trim_start().strip_prefix("# ").ok_or("there is no header")?;
    let mut rows = Rows { rest: text };
    let header: Vec<String> = rows.next().ok_or("there is no header")?;
    let table = Table::new(header.iter().map(String::as_str));
    let place = |name: &str| table.place(name);
    let (backend, name, kind, sessions, total) = (place("pxname")?, place("svname")?, place("type")?, place("scur")?, place("stot")?);
    let (connects, responses, retries) = (place("econ")?, place("eresp")?, place("wretr")?);
    let optional = |name: &str| table.place(name).ok();
    let (failures, latency, mode, requests) = (optional("hrsp_5xx"), optional("rtime"), optional("mode"), optional("req_tot"));
    let (rise, fall, health) = (optional("check_rise"), optional("check_fall"), optional("check_health"));
    let (status, said, last, cookie) = (optional("check_status"), optional("check_desc"), optional("last_chk"), optional("cookie"));
    let mut found = Vec::new();
    for row in rows {
        let field = |place: usize| row.get(place).map(String::as_str).ok_or_else(|| format!("a line of {} fields", row.len()));
        let text = |place: Option<usize>| place.and_then(|place| row.get(place)).map_or("", String::as_str);
        // Empty where a line has no such figure.
        let count = |place: usize| field(place).map(|text| text.parse::<u64>().unwrap_or(0));
        let figure = |place: Option<usize>| text(place).parse::<u64>().ok();
        let kind = match field(kind)? {
            "1" => StatKind::Backend,
            "2" => StatKind::Server,
            _ => continue,
        };
        let http = mode.is_none_or(|place| field(place).is_ok_and(|mode| mode == "http"));
        let fresh = match (figure(rise), figure(fall), figure(health)) {
            // Leaving maintenance sets it to `rise`; the first check that passes sets it to the most there is.
            (Some(rise), Some(fall), Some(health)) if fall > 1 => Some(health >= rise.saturating_add(fall) - 1),
            _ => None,
        };
        let words = [text(status), text(said), text(last)].into_iter().filter(|word| !word.is_empty());
        let total = count(total)?;
        found.push(Stat {
            backend: crate::text::clean_line(field(backend)?),
            name: crate::text::clean_line(field(name)?),
            kind,
            sessions: u32::try_from(count(sessions)?).unwrap_or(u32::MAX),
            counters: Counters {
                requests: figure(requests).filter(|_| http).unwrap_or(total),
                http_5xx: figure(failures).unwrap_or(0),
                connect_errors: count(connects)?,
                response_errors: count(responses)?,
                retries: count(retries)?,
                http,
            },
            latency_ms: figure(latency).unwrap_or(0),
            fresh,
            said: crate::text::fit(&crate::text::clean_line(&words.collect::<Vec<_>>().join(", ")), 120).into_owned(),
            cookie: crate::text::clean_line(text(cookie)),
        });
    }
    Ok(found)
}

/// The rows of a CSV text: a quoted field may hold commas, ends of lines and doubled quotes.
struct Rows<'a> {
    rest: &'a str,
}

impl Iterator for Rows<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        self.rest = self.rest.trim_start_matches(['\r', '\n']);
        if self.rest.is_empty() {
            return None;
        }
        let (mut row, mut field, mut quoted) = (Vec::new(), String::new(), false);
        let mut chars = self.rest.char_indices().peekable();
        while let Some((place, c)) = chars.next() {
            match c {
                '"' if quoted && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                    field.push('"');
                    chars.next();
                }
                '"' if quoted || field.is_empty() => quoted = !quoted,
                ',' if !quoted => row.push(std::mem::take(&mut field)),
                '\n' if !quoted => {
                    self.rest = &self.rest[place..];
                    row.push(field);
                    return Some(row);
                }
                '\r' if !quoted => {}
                c => field.push(c),
            }
        }
        self.rest = "";
        row.push(field);
        Some(row)
    }
}

/// What `show info` tells of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Info {
    pub version: String,
    pub pid: u32,
    pub uptime: Option<u64>,
}

/// Reads `show info`.
pub(super) fn info(text: &str) -> Result<Info, String> {
    let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':').map(str::trim));
    let version = value("Version").ok_or("it names no version")?;
    let pid = number(value("Pid").ok_or("it names no process")?)?;
    Ok(Info { version: crate::text::clean_line(version), pid, uptime: value("Uptime_sec").and_then(|text| text.parse().ok()) })
}

/// The two tables as backends with their slots, in HAProxy's order.
pub(super) fn backends(servers: &[Server], stats: &[Stat]) -> Vec<Backend> {
    let mut found: Vec<Backend> = Vec::new();
    for stat in stats.iter().filter(|stat| stat.kind == StatKind::Backend) {
        found.push(Backend {
            name: stat.backend.as_str().into(),
            sticky: !stat.cookie.is_empty(),
            slots: Vec::new(),
            counters: stat.counters,
        });
    }
    let of_server: HashMap<(&str, &str), &Stat> =
        stats.iter().filter(|stat| stat.kind == StatKind::Server).map(|stat| ((stat.backend.as_str(), stat.name.as_str()), stat)).collect();
    let scales: HashMap<&str, bool> = servers.iter().fold(HashMap::new(), |mut scales, server| {
        *scales.entry(server.backend.as_str()).or_default() |= server.weight > server.initial;
        scales
    });
    for server in servers {
        let Some(backend) = found.iter_mut().find(|backend| *backend.name == *server.backend) else { continue };
        let stat = of_server.get(&(server.backend.as_str(), server.name.as_str()));
        let scaled = scales.get(server.backend.as_str()).copied().unwrap_or_default();
        backend.slots.push(Slot {
            name: server.name.as_str().into(),
            address: server.address,
            state: server.state(),
            check: check(server, stat.copied()),
            sessions: stat.map_or(0, |stat| stat.sessions),
            share: super::share::read(server.weight, server.initial, scaled),
            counters: stat.map(|stat| stat.counters).unwrap_or_default(),
            latency_ms: stat.map_or(0, |stat| stat.latency_ms),
            since: server.since,
        });
    }
    found
}

fn check(server: &Server, stat: Option<&Stat>) -> Check {
    match () {
        () if server.state() != SlotState::Maint && !server.runs() => {
            let said = stat.map_or("", |stat| &stat.said);
            Check::Failed(if said.is_empty() { Arc::from("it is down") } else { Arc::from(said) })
        }
        () if !server.has_check() || !server.check_enabled() => Check::Never,
        () if server.state() == SlotState::Maint => Check::Asleep,
        () if stat.and_then(|stat| stat.fresh) == Some(false) => Check::Awaited,
        // With `fall 1` its health cannot tell whether a check has passed: then it was set down first, and runs because one has.
        () => Check::Passed,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STATE: &str = include_str!("samples/servers-state.txt");
    const STAT: &str = include_str!("samples/stat.csv");
    const INFO: &str = include_str!("samples/info.txt");

    /// Backend, slot, address, what it was told, its checks, its share.
    fn told(backends: &[Backend]) -> Vec<String> {
        let line = |backend: &Backend, slot: &Slot| {
            let address = slot.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
            let check = match &slot.check {
                Check::Failed(why) => format!("failed ({why})"),
                other => other.word().to_owned(),
            };
            let state = super::super::super::slot::state_word(slot.state);
            format!("{}/{} {address} {state} {check} {} %", backend.name, slot.name, slot.share)
        };
        backends.iter().flat_map(|backend| backend.slots.iter().map(move |slot| line(backend, slot))).collect()
    }

    #[test]
    fn a_real_answer_is_read() {
        let backends = backends(&servers(STATE).unwrap(), &stats(STAT).unwrap());
        assert_eq!(
            told(&backends),
            [
                "shop_web/blue 127.0.0.1:19001 ready passed 100 %",
                "shop_web/s1 127.0.0.1:19999 drain failed (L4CON, Layer4 connection problem, Connection refused) 100 %",
                "shop_web/s2 127.0.0.1:1 maint asleep 100 %",
                "sticky/one 127.0.0.1:19001 ready passed 100 %",
                "nocheck/a 127.0.0.1:19001 ready failed (it is down) 100 %",
                "nocheck/b [::1]:19001 maint none 100 %",
            ]
        );
        assert_eq!(backends.iter().map(|backend| backend.sticky).collect::<Vec<_>>(), [false, true, false]);
        let counted = backends[0].counters;
        assert_eq!((counted.requests, counted.failed(), counted.http), (8, 0, true));
        assert_eq!(backends[0].slots[0].counters.requests, 8);
        assert_eq!(info(INFO).unwrap().version, "2.6.12-1+deb12u4");
        assert!(info(INFO).unwrap().pid > 0 && info(INFO).unwrap().uptime.is_some());
    }

    #[test]
    fn what_a_line_says_of_a_server() {
        let header = STATE.lines().take(2).collect::<Vec<_>>().join("\n");
        let stat_header = STAT.lines().next().unwrap();
        // Operational and administrative state, state of the check; its health of (rise 2, fall 3).
        for (op, admin, check, health, state, expected) in [
            (0, 5, 14, "", SlotState::Maint, "asleep"),
            (2, 4, 6, "4", SlotState::Ready, "passed"),
            (2, 4, 6, "2", SlotState::Ready, "awaited"),
            (2, 12, 6, "2", SlotState::Drain, "awaited"),
            (2, 12, 7, "4", SlotState::Drain, "passed"),
            (0, 12, 6, "0", SlotState::Drain, "failed"),
            (0, 12, 6, "1", SlotState::Drain, "failed"),
            (3, 0, 6, "4", SlotState::Ready, "failed"),
            (1, 0, 6, "4", SlotState::Ready, "passed"),
            (2, 0, 0, "", SlotState::Ready, "none"),
            (2, 0, 2, "", SlotState::Ready, "none"),
            (0, 2, 14, "", SlotState::Maint, "asleep"),
            (0, 32, 14, "", SlotState::Maint, "asleep"),
            (2, 16, 6, "4", SlotState::Drain, "passed"),
        ] {
            let line = format!("3 be 1 s1 127.0.0.1 {op} {admin} 1 1 7 6 3 4 {check} 0 0 0 - 80 - 0 0 - - 0");
            let servers = servers(&format!("{header}\n{line}\n\n")).unwrap();
            let places: Vec<&str> = stat_header.trim_start_matches("# ").split(',').collect();
            let row = |name: &str, kind: &str| {
                let field = |column: &&str| match *column {
                    "pxname" => "be".to_owned(),
                    "svname" => name.to_owned(),
                    "type" => kind.to_owned(),
                    "check_rise" => "2".to_owned(),
                    "check_fall" => "3".to_owned(),
                    "check_health" => health.to_owned(),
                    _ => String::new(),
                };
                places.iter().map(field).collect::<Vec<_>>().join(",")
            };
            let stats = stats(&format!("{stat_header}\n{}\n{}\n", row("s1", "2"), row("BACKEND", "1"))).unwrap();
            let backends = backends(&servers, &stats);
            let slot = &backends[0].slots[0];
            assert_eq!((slot.state, slot.check.word(), slot.since), (state, expected, 7), "op {op} admin {admin} check {check} {health}");
        }
    }

    #[test]
    fn a_slot_that_was_just_filled_is_not_yet_checked() {
        let header = STAT.lines().next().unwrap();
        let told = stats(&format!("{header}\n{}", include_str!("samples/awaited.txt"))).unwrap();
        assert_eq!((told[0].name.as_str(), told[0].fresh), ("s2", Some(false)));
    }

    #[test]
    fn other_answers_are_errors_and_never_half_read() {
        for text in ["", "Can't find backend.\n\n", "2\n# be_name\n", "1\n", "1\n# be_id be_name\n3 shop", "1\nx"] {
            assert!(servers(text).is_err(), "{text:?}");
        }
        let cut = STATE.split("- 19001").next().unwrap();
        assert!(servers(cut).is_err(), "{cut}");
        for text in ["", "Unknown command", "# pxname,svname\n", "#"] {
            assert!(stats(text).is_err(), "{text:?}");
        }
        for text in ["", "Version: 1", "Pid: 3", "Version: 2\nPid: x"] {
            assert!(info(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn quoted_fields_hold_anything() {
        let rows: Vec<_> = Rows { rest: "a,\"b, \"\"c\"\"\nd\",e\r\n\n,\"\"\nlast" }.collect();
        assert_eq!(rows, [vec!["a", "b, \"c\"\nd", "e"], vec!["", ""], vec!["last"]]);
    }

    proptest! {
        #[test]
        fn nothing_that_is_said_panics(text in any::<String>(), head in 0..3_usize) {
            let heads = ["", "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight \
                srv_time_since_last_change srv_check_state srv_port\n", "# pxname,svname,type,scur,stot,econ,eresp,wretr\n"];
            let text = format!("{}{text}", heads[head]);
            let (servers, stats) = (servers(&text), stats(&text));
            backends(&servers.unwrap_or_default(), &stats.unwrap_or_default());
            let _ = info(&text);
        }

        #[test]
        fn no_damage_to_a_real_answer_panics(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
            for sample in [STATE, STAT, INFO] {
                let mut bytes = sample.as_bytes().to_vec();
                let place = at.index(bytes.len());
                bytes[place] = byte;
                bytes.truncate(cut.index(bytes.len()).max(place));
                let text = String::from_utf8_lossy(&bytes);
                let servers = servers(&text).unwrap_or_default();
                backends(&servers, &stats(STAT).unwrap());
                backends(&super::servers(STATE).unwrap(), &stats(&text).unwrap_or_default());
                let _ = info(&text);
            }
        }
    }
}
