//! The processes of a container, as `GET /containers/{id}/top` tells them: cleaned, secrets masked.

use serde::Serialize;
use serde_json::{Value, json};

use super::mask::mask;
use crate::text::clean_line;

/// So many processes are kept.
const MOST: usize = 5000;

/// What `ps` said of one container: titles, and a row a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Processes {
    /// The columns, in ps's words: `PID`, `USER`, `COMMAND`, …
    pub titles: Vec<String>,
    /// A text for every column.
    pub processes: Vec<Vec<String>>,
}

impl Processes {
    /// Reads an answer; what is missing in it is empty. The last column is a command line: what follows a secret-looking word in it is
    /// masked.
    pub fn parse(answer: &Value) -> Self {
        let texts = |row: &Value| -> Vec<String> {
            let entries = row.as_array().map_or(&[][..], Vec::as_slice);
            entries.iter().map(|entry| clean_line(entry.as_str().unwrap_or_default())).collect()
        };
        let titles = answer.get("Titles").map(texts).unwrap_or_default();
        let rows = answer.get("Processes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let processes = rows.iter().take(MOST).map(|row| {
            let mut texts = texts(row);
            texts.resize(titles.len(), String::new());
            if let Some(command) = texts.last_mut() {
                let mut document = json!({ "Command": std::mem::take(command) });
                mask(&mut document);
                *command = document["Command"].as_str().unwrap_or_default().to_owned();
            }
            texts
        });
        Self { processes: processes.collect(), titles }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_fit_their_titles_and_secrets_stay_secret() {
        let told =
            json!({ "Titles": ["PID", "CMD"], "Processes": [["1", "serve --password hunter2\u{1b}[2J"], ["2"], null, ["3", "sh", "x"]] });
        let read = Processes::parse(&told);
        assert_eq!(read.titles, ["PID", "CMD"]);
        assert_eq!(read.processes.len(), 4);
        assert!(read.processes.iter().all(|row| row.len() == 2));
        let command = &read.processes[0][1];
        assert!(command.starts_with("serve --password ") && !command.contains("hunter2") && !command.contains('\u{1b}'), "{command}");
        assert_eq!(Processes::parse(&Value::Null), Processes::default());
    }
}
