//! The smallest program on the terminal layer: what the tests through a real pty drive.
//!
//! Keys: `q` quit, `d` draw fifty unchanged frames, `s` a long stream of frames, `z` suspend, `m` mouse, `p` panic, `t` panic
//! on another thread, `x` run a child program, `c` copy, `h` hang. Any other event is shown.
#![allow(missing_docs, clippy::panic)]

use std::process::exit;

use crossterm::event::{KeyCode, KeyModifiers};
use quarterdeck::runtime::terminal::{DEAD, Event, Modes, exit_code, open, window_size};
use quarterdeck::ui::backend::{Canvas, Drawn};
use ratatui::style::{Color, Style};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let (mut terminal, mut events) = match open(Modes { mouse: std::env::args().any(|a| a == "--mouse"), kitty_keys: false }) {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("{error}");
            exit(2);
        }
    };
    let size = window_size().unwrap_or_default();
    let mut screen = Canvas::new(size, terminal.writer().clone());
    let (mut last, mut note, mut stream, mut mouse) = (String::from("none"), String::new(), 0u32, false);
    let mut dirty = true;
    let code = loop {
        if dirty {
            let text = format!("paintbox ready · last {last} · {note}");
            let drawn = screen.draw(|frame| {
                let area = frame.area();
                if area.is_empty() {
                    // The terminal goes away, or has not said its size.
                    return;
                }
                frame.buffer_mut().set_stringn(0, 0, &text, usize::from(area.width), Style::new().fg(Color::Rgb(1, 2, 3)));
                for y in 1..if stream > 0 { area.height } else { 1 } {
                    frame.buffer_mut().set_stringn(
                        0,
                        y,
                        format!("{:x}", stream.wrapping_mul(2_654_435_761)).repeat(30),
                        usize::from(area.width),
                        Style::new(),
                    );
                }
            });
            dirty = drawn == Drawn::Busy;
        }
        let event = tokio::select! {
            event = events.next() => event,
            () = terminal.writer().freed(), if dirty || stream > 0 => {
                stream = stream.saturating_sub(1);
                dirty = true;
                continue;
            }
        };
        dirty = true;
        let mut repaint = None;
        match event {
            Event::Stop(signal) => break exit_code(signal),
            Event::Dead => break DEAD,
            Event::Suspend => repaint = Some(terminal.suspend().map(|how| note = format!("{how:?}"))),
            Event::Continued => repaint = Some(terminal.reenter()),
            Event::Resized(size) => {
                screen.resize(size);
                note = format!("{}x{}", size.width, size.height);
            }
            Event::Key(key) if key.modifiers == KeyModifiers::NONE => match key.code {
                KeyCode::Char('q') => break 0,
                KeyCode::Char('d') => {
                    let frame = format!("paintbox ready · last {last} · {note}");
                    let style = Style::new().fg(Color::Rgb(1, 2, 3));
                    let sent = (0..50).filter(|_| screen.draw(|f| f.buffer_mut().set_string(0, 0, &frame, style)) == Drawn::Sent).count();
                    dirty = false;
                    if sent > 0 {
                        break 70;
                    }
                }
                KeyCode::Char('s') => stream = 1_000_000,
                KeyCode::Char('z') => repaint = Some(terminal.suspend().map(|how| note = format!("{how:?}"))),
                KeyCode::Char('m') => {
                    mouse = !mouse;
                    terminal.set_mouse(mouse);
                }
                KeyCode::Char('h') => std::thread::sleep(std::time::Duration::from_secs(3600)),
                KeyCode::Char('p') => panic!("paint spilled"),
                KeyCode::Char('t') => drop(std::thread::spawn(|| panic!("paint spilled elsewhere"))),
                KeyCode::Char('x') => {
                    terminal.release();
                    let status =
                        std::process::Command::new("sh").args(["-c", "echo child runs; read line; echo child read $line"]).status();
                    note = format!("child {}", status.is_ok_and(|status| status.success()));
                    repaint = Some(terminal.reclaim());
                }
                KeyCode::Char('c') => {
                    let copied = quarterdeck::ui::osc52::copy("paint").map(|bytes| terminal.writer().aside(&bytes));
                    note = format!("copied {}", matches!(copied, Ok(Ok(()))));
                }
                code => last = format!("{code:?}"),
            },
            other => last = format!("{other:?}"),
        }
        match repaint {
            Some(Ok(())) => {
                screen.resize(window_size().unwrap_or(size));
                screen.repaint();
            }
            Some(Err(error)) => {
                terminal.close();
                eprintln!("{error}");
                exit(1);
            }
            None => {}
        }
    };
    terminal.close();
    exit(code);
}
