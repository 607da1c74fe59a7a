//! A web service for containers of the lab, compiled into one static file by the tests that want it: it keeps connections, tells its version,
//! takes what is posted and gives it back, and as the first process of its container does not hear SIGTERM.
//!
//! `VERSION` is told in every answer, `TAKES` is how many milliseconds an answer takes. `/slow` takes four seconds, `/healthz` none.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

fn main() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let version = variable("VERSION");
    let takes = Duration::from_millis(variable("TAKES").parse().unwrap_or(0));
    let listener = TcpListener::bind(("0.0.0.0", 80)).expect("port 80");
    for stream in listener.incoming().map_while(Result::ok) {
        let version = version.clone();
        thread::spawn(move || serve(stream, &version, takes));
    }
}

/// One connection to its end.
fn serve(stream: TcpStream, version: &str, takes: Duration) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut stream = BufReader::new(stream);
    loop {
        let (mut request, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim().to_ascii_lowercase();
            match line.split_once(':') {
                _ if request.is_empty() => request = line,
                Some(("content-length", value)) => length = value.trim().parse().ok()?,
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        match request.split(' ').nth(1)? {
            "/healthz" => {}
            "/slow" => thread::sleep(Duration::from_secs(4)),
            _ => thread::sleep(takes),
        }
        if !request.starts_with("post") {
            body = format!("v{version}\n").into_bytes();
        }
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-Version: {version}\r\n\r\n", body.len());
        let answer = [head.into_bytes(), body].concat();
        stream.get_mut().write_all(&answer).ok()?;
    }
}
