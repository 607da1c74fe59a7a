//! Records as files: one directory a deployment, its journal as lines of JSON.
//!
//! `journal.jsonl` is appended to and synced before a step begins. `order` and `answers/` are written by other processes of people who may write
//! here; `bundles/` holds what is kept of failures.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

use super::{
    journal::{self, Entry},
    records::{Order, Records, RecordsError},
};
use crate::{
    delivery::release::{DeploymentId, Release},
    text::clean_line,
};

const JOURNAL: &str = "journal.jsonl";
const RELEASE: &str = "release.json";
const ORDER: &str = "order";
const ANSWERS: &str = "answers";
const BUNDLES: &str = "bundles";

/// A directory of deployments.
#[derive(Clone, Debug)]
pub struct FileRecords {
    root: PathBuf,
}

impl FileRecords {
    /// In this directory, which is made when something is written.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Takes the next number for a deployment; its mark is drawn from `random`.
    ///
    /// # Errors
    /// When the directory cannot be read or made.
    pub fn reserve(&self, random: u32) -> io::Result<DeploymentId> {
        make(&self.root)?;
        let mut number = self.deployments()?.iter().map(|id| id.number).max().unwrap_or(0);
        loop {
            number += 1;
            // The number alone is what only one can make: the mark keeps state directories apart, not people.
            match OpenOptions::new().write(true).create_new(true).mode(0o660).open(self.root.join(format!(".{number}"))) {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        let id = DeploymentId::new(number, random);
        make(&self.home(&id))?;
        Ok(id)
    }

    /// Every deployment, by number.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn deployments(&self) -> io::Result<Vec<DeploymentId>> {
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            // Whatever else lies here is nobody's deployment.
            if let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) {
                found.push(id);
            }
        }
        found.sort();
        Ok(found)
    }

    /// Keeps what a deployment puts into its environment, for the way back to it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_release(&self, id: &DeploymentId, release: &Release) -> io::Result<()> {
        let text = serde_json::to_vec(release).map_err(io::Error::other)?;
        write(&self.home(id).join(RELEASE), &text)
    }

    /// What a deployment put into its environment; `None`: nobody kept it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn release(&self, id: &DeploymentId) -> io::Result<Option<Release>> {
        let Some(text) = read(&self.home(id).join(RELEASE))? else { return Ok(None) };
        serde_json::from_slice(&text).map(Some).map_err(io::Error::other)
    }

    /// The journal of a deployment.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn journal(&self, id: &DeploymentId) -> io::Result<Vec<Entry>> {
        Ok(journal::read(&read(&self.home(id).join(JOURNAL))?.unwrap_or_default()))
    }

    /// Tells a run what a person wants.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn tell(&self, id: &DeploymentId, order: &Order) -> io::Result<()> {
        let word = match order {
            Order::GoOn => "go-on",
            Order::Park => "park",
            Order::Unwind => "unwind",
        };
        write(&self.home(id).join(ORDER), word.as_bytes())
    }

    /// Answers a run's question, yes or no with a reason.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn reply(&self, id: &DeploymentId, question: &str, answer: Result<(), &str>) -> io::Result<()> {
        let home = self.home(id).join(ANSWERS);
        make(&home)?;
        let text = answer.map_or_else(|reason| format!("no: {reason}"), |()| "yes".to_owned());
        write(&home.join(name_of(question)), text.as_bytes())
    }

    fn home(&self, id: &DeploymentId) -> PathBuf {
        self.root.join(id.to_string())
    }

    fn add(&self, id: &DeploymentId, entries: &[Entry]) -> io::Result<()> {
        let home = self.home(id);
        make(&home)?;
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o660).open(home.join(JOURNAL))?;
        let length = file.metadata()?.len();
        let mut last = [b'\n'];
        if length > 0 {
            file.read_exact_at(&mut last, length - 1)?;
        }
        // A line that was torn off stays one line, and costs no other.
        let mut lines = if last == [b'\n'] { Vec::new() } else { vec![b'\n'] };
        lines.extend(journal::write(entries));
        file.write_all(&lines)?;
        file.sync_data()
    }

    fn ordered(&self, id: &DeploymentId) -> io::Result<Order> {
        Ok(match read(&self.home(id).join(ORDER))?.as_deref() {
            Some(b"park") => Order::Park,
            Some(b"unwind") => Order::Unwind,
            Some(_) | None => Order::GoOn,
        })
    }

    fn answered(&self, id: &DeploymentId, question: &str) -> io::Result<Option<Result<(), Arc<str>>>> {
        let Some(text) = read(&self.home(id).join(ANSWERS).join(name_of(question)))? else { return Ok(None) };
        let text = clean_line(&String::from_utf8_lossy(&text));
        Ok(match text.strip_prefix("no: ") {
            Some(reason) => Some(Err(reason.into())),
            None if text == "yes" => Some(Ok(())),
            // Half written: the next look finds the rest.
            None => None,
        })
    }

    fn bundled(&self, id: &DeploymentId, files: &[(String, Vec<u8>)]) -> io::Result<PathBuf> {
        let bundles = self.home(id).join(BUNDLES);
        make(&bundles)?;
        let count = fs::read_dir(&bundles)?.count();
        let home = bundles.join((count + 1).to_string());
        make(&home)?;
        for (name, bytes) in files {
            // Names are made of hosts' and containers' names; neither leaves the directory.
            write(&home.join(name.replace('/', "_")), bytes)?;
        }
        Ok(home)
    }
}

fn name_of(question: &str) -> String {
    Sha256::digest(question.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn make(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o770).create(dir)
}

fn read(file: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whole or not at all.
fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = file.with_extension("part");
    let mut open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o660).open(&part)?;
    open.write_all(bytes)?;
    open.sync_data()?;
    fs::rename(&part, file)
}

impl Records for FileRecords {
    async fn append(&self, id: &DeploymentId, entries: &[Entry]) -> Result<(), RecordsError> {
        self.add(id, entries).map_err(|error| fault(id, &error))
    }

    async fn load(&self, id: &DeploymentId) -> Result<Vec<Entry>, RecordsError> {
        self.journal(id).map_err(|error| fault(id, &error))
    }

    async fn order(&self, id: &DeploymentId) -> Result<Order, RecordsError> {
        self.ordered(id).map_err(|error| fault(id, &error))
    }

    async fn answer(&self, id: &DeploymentId, question: &str) -> Result<Option<Result<(), Arc<str>>>, RecordsError> {
        self.answered(id, question).map_err(|error| fault(id, &error))
    }

    async fn bundle(&self, id: &DeploymentId, files: Vec<(String, Vec<u8>)>) -> Result<Arc<str>, RecordsError> {
        let home = self.bundled(id, &files).map_err(|error| fault(id, &error))?;
        Ok(home.display().to_string().into())
    }
}

fn fault(id: &DeploymentId, error: &io::Error) -> RecordsError {
    RecordsError { deployment: id.clone(), reason: clean_line(&error.to_string()) }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::{delivery::plan::fixture::Shop, run::journal::Word};

    #[test]
    fn what_is_written_is_read_and_a_torn_line_is_not() {
        let home = tempfile::tempdir().unwrap();
        let records = FileRecords::at(home.path().join("runs"));
        assert_eq!(records.deployments().unwrap(), []);
        let id = records.reserve(1).unwrap();
        assert_eq!(records.reserve(2).unwrap().number, 2);
        assert_eq!(records.deployments().unwrap().len(), 2);
        let rows: Vec<_> = (0..3).map(|seq| Entry { seq, at: DateTime::UNIX_EPOCH, word: Word::Good }).collect();
        records.add(&id, &rows[..1]).unwrap();
        records.add(&id, &rows[1..]).unwrap();
        assert_eq!(records.journal(&id).unwrap(), rows);
        let file = records.home(&id).join(JOURNAL);
        let whole = fs::read(&file).unwrap();
        fs::write(&file, &whole[..whole.len() - 4]).unwrap();
        assert_eq!(records.journal(&id).unwrap(), rows[..2]);
        records.add(&id, &rows[2..]).unwrap();
        assert_eq!(records.journal(&id).unwrap(), rows);
    }

    #[test]
    fn orders_answers_and_releases() {
        let home = tempfile::tempdir().unwrap();
        let records = FileRecords::at(home.path());
        let id = records.reserve(1).unwrap();
        assert_eq!(records.ordered(&id).unwrap(), Order::GoOn);
        records.tell(&id, &Order::Park).unwrap();
        assert_eq!(records.ordered(&id).unwrap(), Order::Park);
        assert_eq!(records.answered(&id, "may it?").unwrap(), None);
        records.reply(&id, "may it?", Err("not now")).unwrap();
        assert_eq!(records.answered(&id, "may it?").unwrap(), Some(Err("not now".into())));
        let release = Shop::of_web(1).release(1);
        assert_eq!(records.release(&id).unwrap(), None);
        records.keep_release(&id, &release).unwrap();
        assert_eq!(records.release(&id).unwrap(), Some(release));
        let place = records.bundled(&id, &[("../app.log".to_owned(), b"x".to_vec())]).unwrap();
        assert_eq!(fs::read(place.join(".._app.log")).unwrap(), b"x");
    }
}
