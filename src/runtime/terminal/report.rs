//! What the parameters of a control sequence mean: keys with modifiers and mouse reports. Pure.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

/// `1;2:3` → `[[1], [2, 3]]`, missing numbers as 0. Numbers too large, and other parameter bytes, make it empty.
pub(super) fn numbers(body: &[u8]) -> Vec<Vec<u32>> {
    let parse = |field: &[u8]| match field {
        [] => Some(0),
        digits => std::str::from_utf8(digits).ok()?.parse::<u32>().ok(),
    };
    let fields: Option<Vec<Vec<u32>>> = body.split(|b| *b == b';').map(|part| part.split(|b| *b == b':').map(parse).collect()).collect();
    fields.unwrap_or_default()
}

fn number(fields: &[Vec<u32>], index: usize, sub: usize) -> u32 {
    fields.get(index).and_then(|field| field.get(sub)).copied().unwrap_or(0)
}

/// A key with parameters: `CSI 1 ; modifiers[:kind] letter`, `CSI number ; modifiers[:kind] ~`, `CSI code ; … u`.
pub(super) fn pressed(fields: &[Vec<u32>], last: u8) -> Option<Event> {
    let first = number(fields, 0, 0);
    let (mut modifiers, kind) = (modifiers(number(fields, 1, 0)), number(fields, 1, 1));
    if kind == 3 {
        // Released: nothing here acts on it.
        return None;
    }
    let code = match last {
        b'Z' => {
            modifiers |= KeyModifiers::SHIFT;
            KeyCode::BackTab
        }
        b'~' => tilde(first)?,
        b'u' => match kitty(first)? {
            KeyCode::Tab if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            KeyCode::Char(c) if modifiers.contains(KeyModifiers::SHIFT) => {
                let shifted = number(fields, 0, 1);
                KeyCode::Char(char::from_u32(shifted).filter(|c| !c.is_control()).unwrap_or_else(|| c.to_ascii_uppercase()))
            }
            other => other,
        },
        // `CSI row ; column R` is a cursor report, which nobody asked for; F3 has 1 or nothing in front.
        _ if first <= 1 => named(last)?,
        _ => return None,
    };
    let mut event = KeyEvent::new(code, modifiers);
    if kind == 2 {
        event.kind = KeyEventKind::Repeat;
    }
    Some(Event::Key(event))
}

fn modifiers(parameter: u32) -> KeyModifiers {
    let mask = parameter.saturating_sub(1);
    [
        (1, KeyModifiers::SHIFT),
        (2, KeyModifiers::ALT),
        (4, KeyModifiers::CONTROL),
        (8, KeyModifiers::SUPER),
        (16, KeyModifiers::HYPER),
        (32, KeyModifiers::META),
    ]
    .into_iter()
    .filter(|(bit, _)| mask & bit != 0)
    .fold(KeyModifiers::NONE, |all, (_, modifier)| all | modifier)
}

fn tilde(number: u32) -> Option<KeyCode> {
    Some(match number {
        1 | 7 => KeyCode::Home,
        2 => KeyCode::Insert,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F(number as u8 - 10),
        17..=21 => KeyCode::F(number as u8 - 11),
        23..=26 => KeyCode::F(number as u8 - 12),
        28 | 29 => KeyCode::F(number as u8 - 13),
        31..=34 => KeyCode::F(number as u8 - 14),
        _ => return None,
    })
}

fn kitty(code: u32) -> Option<KeyCode> {
    Some(match code {
        9 => KeyCode::Tab,
        13 | 57_414 => KeyCode::Enter,
        27 => KeyCode::Esc,
        127 => KeyCode::Backspace,
        // The keypad: digits, then the operators.
        57_399..=57_408 => KeyCode::Char(char::from(b'0' + (code - 57_399) as u8)),
        57_409 => KeyCode::Char('.'),
        57_410 => KeyCode::Char('/'),
        57_411 => KeyCode::Char('*'),
        57_412 => KeyCode::Char('-'),
        57_413 => KeyCode::Char('+'),
        57_417 => KeyCode::Left,
        57_418 => KeyCode::Right,
        57_419 => KeyCode::Up,
        57_420 => KeyCode::Down,
        57_421 => KeyCode::PageUp,
        57_422 => KeyCode::PageDown,
        57_423 => KeyCode::Home,
        57_424 => KeyCode::End,
        57_425 => KeyCode::Insert,
        57_426 => KeyCode::Delete,
        // Modifiers and media keys by themselves.
        57_344..=63_743 => return None,
        _ => KeyCode::Char(char::from_u32(code).filter(|c| !c.is_control())?),
    })
}

/// An SGR mouse report: buttons, column, row, all from 1.
pub(super) fn mouse(fields: &[Vec<u32>], up: bool) -> Option<Event> {
    let [buttons, column, row] = [0, 1, 2].map(|index| number(fields, index, 0));
    let column = u16::try_from(column.checked_sub(1)?).ok()?;
    let row = u16::try_from(row.checked_sub(1)?).ok()?;
    let button = match buttons & 3 {
        0 => Some(MouseButton::Left),
        1 => Some(MouseButton::Middle),
        2 => Some(MouseButton::Right),
        _ => None,
    };
    let kind = match (buttons & 0xc0, buttons & 32 != 0, button) {
        (0x40, _, _) => match buttons & 3 {
            0 => MouseEventKind::ScrollUp,
            1 => MouseEventKind::ScrollDown,
            2 => MouseEventKind::ScrollLeft,
            _ => MouseEventKind::ScrollRight,
        },
        (0, true, Some(button)) => MouseEventKind::Drag(button),
        (0, true, None) => MouseEventKind::Moved,
        (0, false, Some(button)) if up => MouseEventKind::Up(button),
        (0, false, Some(button)) => MouseEventKind::Down(button),
        _ => return None,
    };
    let modifiers = [(4, KeyModifiers::SHIFT), (8, KeyModifiers::ALT), (16, KeyModifiers::CONTROL)]
        .into_iter()
        .filter(|(bit, _)| buttons & bit != 0)
        .fold(KeyModifiers::NONE, |all, (_, modifier)| all | modifier);
    Some(Event::Mouse(MouseEvent { kind, column, row, modifiers }))
}

/// Keys that end their sequence with a letter.
pub(super) fn named(end: u8) -> Option<KeyCode> {
    Some(match end {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'P' => KeyCode::F(1),
        b'Q' => KeyCode::F(2),
        b'R' => KeyCode::F(3),
        b'S' => KeyCode::F(4),
        _ => return None,
    })
}
