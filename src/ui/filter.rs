//! The live filter: what was typed, and what it selects.

use crate::fleet::selector::Selector;

/// What the rows are filtered by. A text that does not parse keeps the last selection that did, and says why.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    text: String,
    selector: Option<Selector>,
    error: Option<String>,
}

impl Filter {
    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it selects; `None` selects all.
    pub fn selector(&self) -> Option<&Selector> {
        self.selector.as_ref()
    }

    /// Why the text does not parse.
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Takes a new text; whether the selection changed.
    pub fn set(&mut self, text: &str) -> bool {
        if self.text == text {
            return false;
        }
        self.text = text.to_owned();
        self.error = None;
        if text.trim().is_empty() {
            return self.selector.take().is_some();
        }
        match Selector::parse(text) {
            Ok(selector) => {
                self.selector = Some(selector);
                true
            }
            Err(error) => {
                self.error = Some(error.to_string());
                false
            }
        }
    }
}
