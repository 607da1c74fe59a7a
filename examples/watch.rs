use quarterdeck::{
    config::{Endpoint, TlsFiles},
    engine::*,
    fleet::*,
    rights::Rights,
};
fn main() {
    let mut targets = vec![];
    for (n, a) in std::env::args().skip(1).enumerate() {
        let endpoint = if let Some(p) = a.strip_prefix("unix://") {
            Endpoint::Unix { path: p.into() }
        } else if let Some(rest) = a.strip_prefix("tls://") {
            let mut it = rest.split(',');
            let hp = it.next().unwrap();
            let dir = it.next().unwrap();
            let (h, p) = hp.split_once(':').unwrap();
            Endpoint::Tls {
                host: h.into(),
                port: p.parse().unwrap(),
                files: TlsFiles {
                    ca: Some(format!("{dir}/ca.pem").into()),
                    cert: Some(format!("{dir}/cert.pem").into()),
                    key: Some(format!("{dir}/key.pem").into()),
                },
            }
        } else {
            let (h, p) = a.strip_prefix("tcp://").unwrap().split_once(':').unwrap();
            Endpoint::Tcp { host: h.into(), port: p.parse().unwrap() }
        };
        targets.push(Target {
            spec: HostSpec {
                id: HostId::new(format!("h{n}")),
                url: a.as_str().into(),
                environment: None,
                tags: vec![],
                unprotected: false,
            },
            endpoint,
        });
    }
    let t = std::time::Instant::now();
    let (_e, mut rx) = Engine::start(targets, Rights::Act).unwrap();
    let mut fleet = Fleet::new(vec![], vec![]);
    while let Some(r) = rx.blocking_recv() {
        let s = format!("{r:?}");
        println!("{:>8.1?} {}", t.elapsed(), s.chars().take(330).collect::<String>());
        let _ = &mut fleet;
    }
}
