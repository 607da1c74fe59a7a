//! A cursor that holds an object, not a line number: rows may come, go and move under it.

/// Where a list's cursor is and which part of the list is on screen.
#[derive(Clone, Debug)]
pub struct Cursor<K> {
    held: Option<K>,
    index: usize,
    offset: usize,
    /// Whether it was ever moved. Until then it stays on the first row, whatever that holds: the worst is on top.
    moved: bool,
}

impl<K> Default for Cursor<K> {
    fn default() -> Self {
        Self { held: None, index: 0, offset: 0, moved: false }
    }
}

impl<K: Clone + PartialEq> Cursor<K> {
    /// The object under the cursor.
    pub fn held(&self) -> Option<&K> {
        self.held.as_ref()
    }

    /// The row of the cursor.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The first row on screen.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Finds the held object in the changed list; when it is gone, the row that took its place is held.
    pub fn settle(&mut self, rows: &[K]) {
        if !self.moved {
            self.held = rows.first().cloned();
            return;
        }
        let stayed = self.held.as_ref().is_some_and(|held| rows.get(self.index) == Some(held));
        if !stayed {
            if let Some(index) = self.held.as_ref().and_then(|held| rows.iter().position(|row| row == held)) {
                // Keep the row at its place on the screen where the list allows it.
                self.offset = (self.offset + index).saturating_sub(self.index);
                self.index = index;
            } else {
                self.index = self.index.min(rows.len().saturating_sub(1));
                self.held = rows.get(self.index).cloned();
            }
        }
        self.offset = self.offset.min(rows.len().saturating_sub(1));
    }

    /// Moves by this many rows, stopping at the ends.
    pub fn step(&mut self, rows: &[K], by: isize) {
        self.go(rows, self.index.saturating_add_signed(by));
    }

    /// Moves to this row, or to the last one.
    pub fn go(&mut self, rows: &[K], index: usize) {
        self.moved = true;
        self.index = index.min(rows.len().saturating_sub(1));
        self.held = rows.get(self.index).cloned();
    }

    /// Moves to this object, if the list has it.
    pub fn seek(&mut self, rows: &[K], key: &K) {
        if let Some(index) = rows.iter().position(|row| row == key) {
            self.go(rows, index);
        }
    }

    /// Scrolls so that the cursor is among `height` visible rows; returns the visible range of `count` rows.
    pub fn reveal(&mut self, count: usize, height: usize) -> std::ops::Range<usize> {
        if self.index < self.offset {
            self.offset = self.index;
        } else if height > 0 && self.index >= self.offset + height {
            self.offset = self.index + 1 - height;
        }
        self.offset = self.offset.min(count.saturating_sub(height));
        self.offset..(self.offset + height).min(count)
    }
}

#[cfg(test)]
mod tests {
    use super::Cursor;

    #[test]
    fn holds_its_object_when_rows_move() {
        let mut cursor = Cursor::default();
        cursor.settle(&["a", "b", "c"]);
        assert_eq!(cursor.held(), Some(&"a"));
        cursor.settle(&["b", "a", "c"]);
        assert_eq!(cursor.held(), Some(&"b"), "nobody moved it: the first row");
        cursor.settle(&["a", "b", "c"]);
        cursor.step(&["a", "b", "c"], 1);
        cursor.settle(&["x", "y", "a", "b", "c"]);
        assert_eq!((cursor.held(), cursor.index()), (Some(&"b"), 3));
        cursor.settle(&["x", "y", "a", "c"]);
        assert_eq!(cursor.held(), Some(&"c"));
        cursor.settle(&["x"]);
        assert_eq!((cursor.held(), cursor.index()), (Some(&"x"), 0));
        cursor.settle(&[]);
        assert_eq!(cursor.held(), None);
        cursor.settle(&["z"]);
        assert_eq!(cursor.held(), Some(&"z"));
    }

    #[test]
    fn reveals_the_cursor() {
        let rows: Vec<u32> = (0..100).collect();
        let mut cursor = Cursor::default();
        cursor.settle(&rows);
        cursor.step(&rows, 30);
        assert_eq!(cursor.reveal(100, 10), 21..31);
        cursor.step(&rows, -5);
        assert_eq!(cursor.reveal(100, 10), 21..31);
        cursor.go(&rows, 500);
        assert_eq!(cursor.reveal(100, 10), 90..100);
        assert_eq!(cursor.reveal(100, 0), 90..90);
    }
}
