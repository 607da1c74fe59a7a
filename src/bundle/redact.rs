//! Takes secrets out of whatever is handed on. Pure.
//!
//! Two ways, one after the other: what stands behind a secret-looking name ([`mask`]), and every value that is known to be a secret,
//! wherever it occurs: values of variables and labels that are masked in the inspect documents.

use std::collections::BTreeSet;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ratatui::buffer::Buffer;
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::{
    fleet::mask::{self, MASK},
    text::width,
};

/// A shorter value is not looked for: `1` or `yes` would be found everywhere.
const SHORTEST: usize = 4;
/// The value of a variable whose name does not look secret is one if it is this long and looks drawn by lot.
const DRAWN: usize = 16;
/// For the expression that finds all of them at once; enough for tens of thousands.
const SIZE_LIMIT: usize = 1 << 30;

/// Knows the secrets of some containers.
#[derive(Debug, Default)]
pub struct Redactor {
    secrets: BTreeSet<String>,
    found: Option<Regex>,
}

impl Redactor {
    /// Learns the secrets of a container from its inspect document, and masks the document.
    pub fn learn(&mut self, document: &mut Value) {
        let raw = document.clone();
        mask::mask(document);
        collect(&raw, document, "", &mut self.secrets);
        self.found = None;
    }

    /// Makes ready what was learned.
    ///
    /// # Errors
    /// When there are more secrets than can be looked for: then nothing may be handed on.
    pub fn prepare(&mut self) -> Result<(), String> {
        let mut forms: BTreeSet<String> = BTreeSet::new();
        for secret in &self.secrets {
            // A key over many lines stands in a log line by line.
            let parts = secret.lines().filter(|line| line.trim().len() >= SHORTEST.max(8)).map(str::trim);
            for part in parts.chain([secret.as_str()]) {
                forms.extend(spellings(part));
            }
        }
        if forms.is_empty() {
            self.found = None;
            return Ok(());
        }
        // Of two that begin alike the longer one first.
        let mut forms: Vec<&str> = forms.iter().map(String::as_str).collect();
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        let pattern = forms.into_iter().map(regex::escape).collect::<Vec<_>>().join("|");
        let regex = RegexBuilder::new(&pattern).size_limit(SIZE_LIMIT).build();
        self.found = Some(regex.map_err(|_| "more secrets than can be looked for".to_owned())?);
        Ok(())
    }

    /// A text without secrets, line by line.
    pub fn text(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let known = self.known(line);
            out.push_str(&mask::mask_text(&known));
        }
        out
    }

    /// A text without the known secrets: for what is masked already and must keep its shape.
    pub fn known(&self, text: &str) -> String {
        match &self.found {
            Some(found) => found.replace_all(text, MASK).into_owned(),
            None => text.to_owned(),
        }
    }

    /// A screen without secrets: their cells show the mask's sign.
    pub fn screen(&self, buffer: &mut Buffer) {
        let area = buffer.area;
        for y in area.top()..area.bottom() {
            let mut row = String::new();
            let mut cells: Vec<(usize, u16)> = Vec::new();
            let mut x = area.left();
            while x < area.right() {
                let symbol = buffer[(x, y)].symbol();
                cells.push((row.len(), x));
                row.push_str(symbol);
                x = x.saturating_add(u16::try_from(width(symbol).max(1)).unwrap_or(1));
            }
            for range in self.ranges(&row) {
                for (_, x) in cells.iter().filter(|(at, _)| range.contains(at)) {
                    buffer[(*x, y)].set_symbol("•");
                }
            }
        }
    }

    /// Where in a row of a screen secrets stand, as far as they are whole: or begin, where the row is cut.
    fn ranges(&self, row: &str) -> Vec<std::ops::Range<usize>> {
        let mut ranges: Vec<std::ops::Range<usize>> =
            self.found.iter().flat_map(|found| found.find_iter(row)).map(|found| found.range()).collect();
        let shown = row.trim_end().trim_end_matches(['…', '>']);
        let cut = self.secrets.iter().filter_map(|secret| {
            let ends = secret.char_indices().map(|(at, _)| at).filter(|at| *at >= SHORTEST);
            ends.filter(|at| shown.ends_with(&secret[..*at])).max().map(|at| shown.len() - at..shown.len())
        });
        ranges.extend(cut);
        let masked = mask::mask_text(row);
        if masked != row {
            let same = |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum::<usize>();
            let start = same(row, &masked);
            let back = row[start..].chars().rev().zip(masked.chars().rev()).take_while(|(a, b)| a == b);
            let end = row.len() - back.map(|(a, _)| a.len_utf8()).sum::<usize>();
            ranges.push(start..end.max(start));
        }
        ranges
    }
}

/// The forms in which a value is written elsewhere.
fn spellings(secret: &str) -> Vec<String> {
    let json = Value::String(secret.to_owned()).to_string();
    let json = json[1..json.len() - 1].to_owned();
    vec![secret.to_owned(), json, utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string()]
}

/// Walks a document beside its masked form: what differs was a secret.
fn collect(raw: &Value, masked: &Value, key: &str, out: &mut BTreeSet<String>) {
    match (raw, masked) {
        (Value::Object(raw), Value::Object(masked)) => {
            for (key, value) in raw {
                if let Some(masked) = masked.get(key) {
                    collect(value, masked, key, out);
                }
            }
        }
        (Value::Array(raw), Value::Array(masked)) => {
            for (value, masked) in raw.iter().zip(masked) {
                collect(value, masked, key, out);
            }
        }
        (Value::Number(number), Value::String(_)) => add(&number.to_string(), out),
        (Value::String(raw), Value::String(masked)) if raw != masked => match key {
            "Env" => of_variable(raw, out),
            _ => of_text(raw, masked, out),
        },
        (_, _) => {}
    }
}

/// Every variable is masked where it stands; looked for elsewhere is what its name or its look says to be secret: the values of most
/// (paths, ports, names) are what logs speak of.
fn of_variable(text: &str, out: &mut BTreeSet<String>) {
    let Some((name, value)) = text.split_once('=') else { return };
    if mask::is_secret(name) || is_drawn(value) {
        add(value, out);
    }
    of_text(value, &mask::mask_text(value), out);
}

/// The part of a text that masking took away.
fn of_text(raw: &str, masked: &str, out: &mut BTreeSet<String>) {
    let (Some(start), Some(end)) = (masked.find('•'), masked.rfind('•')) else { return };
    let behind = &masked[end + '•'.len_utf8()..];
    if let Some(secret) = raw.get(start..).and_then(|rest| rest.strip_suffix(behind)) {
        add(secret.trim_matches(['"', '\'', ',', '}', ';']), out);
    }
}

fn add(secret: &str, out: &mut BTreeSet<String>) {
    if secret.len() >= SHORTEST && !secret.contains('•') {
        out.insert(secret.to_owned());
    }
}

/// Whether a value looks drawn by lot: long, letters and digits, nothing of a path, an address or a sentence, and no bare hexadecimal
/// number, which ids and revisions are.
fn is_drawn(value: &str) -> bool {
    let plain = value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'=' | b'_' | b'-'));
    let mixed = value.bytes().any(|b| b.is_ascii_digit()) && value.bytes().any(|b| b.is_ascii_alphabetic());
    value.len() >= DRAWN && plain && mixed && !value.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::layout::Rect;
    use serde_json::json;

    use super::*;

    fn redactor() -> Redactor {
        let mut redactor = Redactor::default();
        let mut document = json!({
            "Config": {
                "Env": [
                    "DB_PASSWORD=hunter2", "PATH=/usr/bin", "PORT=8080", "GREETING=hello", "REVISION=7e56158a91c2f304bd1c9a7e56158a91c2f304bd",
                    "SESSION=k3yOfTheHouse-00412", "DB_URL=postgres://me:p%40ss!w0rd@db/shop", "TOKEN=ab", "PEM_KEY=-----BEGIN\nMIIBVgIBADAN\n-----END",
                    "QUOTED_SECRET=say \"friend\"",
                ],
                "Labels": {"deploy.key": "l4bel-k3y", "app": "shop"},
                "Cmd": ["serve", "--api-token", "0penSesame"],
            },
        });
        redactor.learn(&mut document);
        redactor.prepare().unwrap();
        assert!(!document.to_string().contains("hunter2"));
        redactor
    }

    #[test]
    fn known_values_are_found_wherever_they_stand() {
        let redactor = redactor();
        for (text, expected) in [
            ("login with hunter2 failed", "login with •••••• failed"),
            ("GET /?s=k3yOfTheHouse-00412&x=1", "GET /?s=••••••&x=1"),
            ("pass p%40ss!w0rd", "pass ••••••"),
            ("label l4bel-k3y, arg 0penSesame", "label ••••••, arg ••••••"),
            ("MIIBVgIBADAN", "••••••"),
            ("{\"said\":\"say \\\"friend\\\"\"}", "{\"said\":\"••••••\"}"),
            (
                "PATH /usr/bin port 8080 hello ab 7e56158a91c2f304bd1c9a7e56158a91c2f304bd",
                "PATH /usr/bin port 8080 hello ab 7e56158a91c2f304bd1c9a7e56158a91c2f304bd",
            ),
            ("other password=swordfish\nnext line", "other password=••••••\nnext line"),
        ] {
            assert_eq!(redactor.text(text), expected, "{text}");
        }
    }

    #[test]
    fn a_screen_shows_none_of_them_also_cut() {
        let redactor = redactor();
        let mut buffer = Buffer::empty(Rect::new(0, 0, 30, 4));
        let style = ratatui::style::Style::default();
        buffer.set_string(0, 0, "日本 login hunter2 ok", style);
        buffer.set_string(0, 1, "key k3yOfTheHou…", style);
        buffer.set_string(0, 2, "token=swordfish end", style);
        buffer.set_string(0, 3, "/usr/bin hello", style);
        redactor.screen(&mut buffer);
        let text = crate::ui::svg::plain(&buffer);
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            ["日本 login ••••••• ok", "key •••••••••••…", "token=••••••••• end", "/usr/bin hello"]
        );
    }

    proptest! {
        #[test]
        fn no_known_secret_survives(secret in "[!-~]{4,24}", before in "\\PC{0,20}", after in "\\PC{0,20}") {
            let mut redactor = Redactor::default();
            let mut document = json!({"Config": {"Env": [format!("A_SECRET={secret}")]}});
            redactor.learn(&mut document);
            redactor.prepare().unwrap();
            // What stands around it may contain it by chance only as a part of another finding.
            prop_assume!(!before.contains(&secret) && !after.contains(&secret));
            let text = redactor.text(&format!("{before} {secret} {after}"));
            prop_assert!(!text.contains(&secret) || "••••••".contains(&secret), "{text}");
        }
    }
}
