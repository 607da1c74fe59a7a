//! One question to a container: over the network where requests will come from, or inside of it.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use regex::Regex;
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};

use super::{away, lines_of};
use crate::{
    engine::{
        docker::{Client, EngineError, ExecOrder},
        transport::IoStream,
    },
    fleet::ContainerId,
    run::port::{Place, PortError, Question},
    text::{clean_bytes, clean_line},
};

/// One answer is waited for so long.
const LIMIT: Duration = Duration::from_secs(3);
/// A command inside may take longer: the engine makes a process for it.
const COMMAND: Duration = Duration::from_secs(20);
/// So much of a page is read.
const PAGE: usize = 256 << 10;
/// So many lines of a log are looked at.
const LINES: u64 = 2_000;

/// Asks once. What the container says, or does not, is the inner answer; only its engine's silence is the outer error.
pub(super) async fn ask(
    client: &Client,
    host: Option<IpAddr>,
    id: &ContainerId,
    question: &Question,
) -> Result<Result<(), String>, PortError> {
    match question {
        Question::Tcp { at } => Ok(within(connect(client, host, at)).await.map(drop)),
        Question::Http { at, path, contains } => Ok(within(page(client, host, at, path, contains.as_deref())).await),
        Question::Command(command) => {
            let command: Vec<String> = command.iter().map(|word| (**word).to_owned()).collect();
            match timeout(COMMAND, run(client, id, command)).await {
                Ok(answer) => answer.map_err(away),
                Err(_) => Ok(Err(format!("the command did not end within {} s", COMMAND.as_secs()))),
            }
        }
        Question::Log(pattern) => {
            let pattern = Regex::new(pattern).map_err(|error| PortError::Refused(clean_line(&error.to_string())))?;
            let lines = lines_of(client, id, Some(LINES)).await.map_err(away)?;
            Ok(if lines.iter().any(|line| pattern.is_match(line)) { Ok(()) } else { Err("no line of its log matches".to_owned()) })
        }
    }
}

async fn within<T>(answer: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match timeout(LIMIT, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

/// From the host itself where the link leads there, else from here.
async fn connect(client: &Client, host: Option<IpAddr>, at: &Place) -> Result<IoStream, String> {
    let (address, port) = match at {
        Place::Published { address, port } => (address.or(host), *port),
        Place::Inside { address, port } => (Some(*address), *port),
    };
    let dialled = address.map_or_else(|| "127.0.0.1".to_owned(), |address| address.to_string());
    if let Some(stream) = client.dial(&dialled, port).await {
        return stream.map_err(|error| error.to_string());
    }
    let Some(address) = address else { return Err("the host has no `address` in the configuration".to_owned()) };
    let stream = TcpStream::connect((address, port)).await;
    stream.map(|stream| Box::new(stream) as IoStream).map_err(|error| format!("{address}:{port}: {error}"))
}

async fn page(client: &Client, host: Option<IpAddr>, at: &Place, path: &str, contains: Option<&str>) -> Result<(), String> {
    let stream = connect(client, host, at).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let request = Request::get(path).header(header::HOST, "localhost").header(header::USER_AGENT, "quarterdeck");
    let request = request.header(header::CONNECTION, "close").body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(|error| clean_line(&error.to_string()))?;
        let status = response.status();
        if !(200..400).contains(&status.as_u16()) {
            return Err(format!("GET {path}: {status}"));
        }
        let Some(wanted) = contains else { return Ok(()) };
        let body = Limited::new(response.into_body(), PAGE).collect().await.map_err(|error| clean_line(&error.to_string()))?.to_bytes();
        match clean_bytes(&body).contains(wanted) {
            true => Ok(()),
            false => Err(format!("GET {path}: {wanted:?} is not in the answer")),
        }
    };
    // The connection is driven here and nowhere else: it ends with this call.
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        answer = &mut answer => answer,
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(clean_line(&error.to_string())),
        },
    }
}

async fn run(client: &Client, id: &ContainerId, command: Vec<String>) -> Result<Result<(), String>, EngineError> {
    let order = ExecOrder { command, tty: true, stdin: false, size: None };
    let exec = match client.exec_create(id, &order).await {
        // It does not run.
        Err(EngineError::Status { status: 409, message }) => return Ok(Err(message)),
        other => other?,
    };
    let mut output = client.exec_start(&exec, &order).await?;
    let (mut said, mut piece) = (Vec::new(), [0; 4096]);
    // The end of its output is its end; an error of the stream is told by its state.
    while let Ok(count @ 1..) = output.read(&mut piece).await {
        said.extend_from_slice(&piece[..count.min(PAGE - said.len().min(PAGE))]);
    }
    loop {
        let state = client.exec_state(&exec).await?;
        match (state.running, state.code) {
            (true, _) => tokio::time::sleep(Duration::from_millis(50)).await,
            (false, Some(0)) => return Ok(Ok(())),
            (false, code) => {
                let last = clean_bytes(&said);
                let last = last.lines().rev().find(|line| !line.trim().is_empty()).map(clean_line).unwrap_or_default();
                return Ok(Err(format!("the command ended with {}: {last}", code.unwrap_or(-1))));
            }
        }
    }
}
