//! The admin port over real sockets, spoken to in raw HTTP.

use std::sync::Mutex;

use telemetry::{ChainDimension, Dimensions, Recorder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::*;

/// A process of two chains, one of them without a usable upstream.
#[derive(Default)]
struct Process {
    draining: bool,
    hangs: bool,
    changed: Mutex<Vec<String>>,
    refuse: bool,
}

impl AdminBackend for Process {
    async fn scrape(&self) -> Snapshot {
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let dimensions = Dimensions {
            shards: 1,
            chains: vec![ChainDimension {
                name: "ethereum".to_owned(),
                upstreams: Vec::new(),
            }],
            methods: vec!["eth_call"],
            strategies: Vec::new(),
            fault_classes: Vec::new(),
            breaker_states: Vec::new(),
            method_groups: Vec::new(),
            priorities: Vec::new(),
            accounts: Vec::new(),
            exclusions: Vec::new(),
            version: "0",
        };
        let mut recorder = Recorder::new(Arc::new(dimensions), 0);
        recorder.call_ended(&telemetry::CallRecord {
            chain: 0,
            method: 0,
            outcome: telemetry::CallOutcome::Ok,
            class: None,
            duration_us: 1_500,
        });
        recorder.snapshot()
    }

    async fn readiness(&self) -> Readiness {
        let chain = |name: &str, usable| ChainHealth {
            name: name.to_owned(),
            usable,
            asked: 2,
            configured: 3,
        };
        Readiness {
            draining: self.draining,
            shards_ready: 1,
            shards: 1,
            chains: vec![chain("ethereum", 2), chain("base", 0)],
        }
    }

    async fn set_log_level(&self, level: LogLevel) -> Result<(), String> {
        self.change(format!("level {}", level.label()))
    }

    async fn set_drained(
        &self,
        chain: &str,
        upstream: &str,
        drained: bool,
    ) -> Option<Result<(), String>> {
        (chain == "ethereum" && upstream == "one")
            .then(|| self.change(format!("drained {drained}")))
    }

    async fn set_sample(&self, rate: f64) -> Result<(), String> {
        self.change(format!("sample {rate}"))
    }

    fn started(&self) -> (Duration, Duration) {
        (Duration::from_secs(1_700_000_000), Duration::from_secs(60))
    }
}

impl Process {
    fn change(&self, what: String) -> Result<(), String> {
        if self.refuse {
            return Err("a shard did not answer".to_owned());
        }
        self.changed.lock().unwrap().push(what);
        Ok(())
    }
}

/// Serves `process`, sends each of `requests` on a connection of its own, and gives the answers back.
fn ask(process: &Arc<Process>, requests: &[String]) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = serve(
            listener,
            process.clone(),
            vec!["Proxy.Internal".to_owned()],
            async {
                let _ = stopped.await;
            },
        );
        let asking = async move {
            let mut answers = Vec::new();
            for request in requests {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(request.as_bytes()).await.unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await.unwrap();
                answers.push(answer);
            }
            stop.send(()).unwrap();
            answers
        };
        tokio::join!(serving, asking).1
    })
}

/// A request as a script would send it, with more header lines if wanted.
fn get(path: &str, headers: &str) -> String {
    let host = if headers.to_ascii_lowercase().contains("host:") {
        ""
    } else {
        "Host: 127.0.0.1:9545\r\n"
    };
    format!("GET {path} HTTP/1.1\r\n{host}Connection: close\r\n{headers}\r\n")
}

fn put(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "PUT {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

const JSON: &str = "Content-Type: application/json\r\n";

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn one(process: &Arc<Process>, request: String) -> String {
    ask(process, &[request]).pop().unwrap()
}

fn json(answer: &str) -> serde_json::Value {
    serde_json::from_str(body(answer)).unwrap()
}

#[test]
fn a_scrape_has_the_numbers_and_its_content_type() {
    let answer = one(&Arc::default(), get("/metrics", ""));
    assert_eq!(status(&answer), 200);
    assert!(
        answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),
        "{answer}"
    );
    assert!(answer.contains("content-length: "));
    assert!(body(&answer).contains(
        "livechain_calls_total{chain=\"ethereum\",method=\"eth_call\",outcome=\"ok\"} 1\n"
    ));
}

#[test]
fn the_latency_log_is_an_hdr_log() {
    let answer = one(&Arc::default(), get("/debug/latency.hlog", ""));
    assert_eq!(status(&answer), 200);
    assert!(
        body(&answer).contains("Tag=call:ethereum:eth_call,"),
        "{answer}"
    );
}

#[test]
fn readiness_is_per_chain_and_ends_with_draining() {
    let answers = ask(
        &Arc::default(),
        &[
            "/readyz",
            "/readyz?verbose",
            "/readyz/ethereum",
            "/readyz/base",
            "/readyz/moon",
            "/livez",
        ]
        .map(|path| get(path, "")),
    );
    assert_eq!(
        answers
            .iter()
            .map(|answer| status(answer))
            .collect::<Vec<_>>(),
        [200, 200, 200, 503, 404, 200]
    );
    let brief = serde_json::json!({ "ready": true, "draining": false,
        "chains": { "ethereum": { "ready": true }, "base": { "ready": false } } });
    assert_eq!(json(&answers[0]), brief);
    assert_eq!(
        json(&answers[1])["chains"]["base"],
        serde_json::json!({ "ready": false, "usable": 0, "asked": 2, "upstreams": 3 })
    );
    assert_eq!(json(&answers[1])["shards"]["all"], 1);

    let draining = Arc::new(Process {
        draining: true,
        ..Process::default()
    });
    let answers = ask(
        &draining,
        &["/readyz", "/readyz/ethereum", "/livez", "/metrics"].map(|path| get(path, "")),
    );
    assert_eq!(
        answers
            .iter()
            .map(|answer| status(answer))
            .collect::<Vec<_>>(),
        [503, 503, 200, 200]
    );
}

#[test]
fn writes_reach_the_backend_once_they_are_valid() {
    let process = Arc::new(Process::default());
    let answers = ask(
        &process,
        &[
            put("/log/level", JSON, r#"{"level":"debug"}"#),
            put("/log/sample", JSON, r#"{"rate":0.25}"#),
            put("/log/level", JSON, r#"{"level":"loud"}"#),
            put(
                "/log/level",
                "Content-Type: text/plain\r\n",
                r#"{"level":"debug"}"#,
            ),
            put("/log/level", "", r#"{"level":"debug"}"#),
            put("/log/level", JSON, "{"),
            put("/log/level", JSON, r#"{"level":"info","more":1}"#),
            put("/log/sample", JSON, r#"{"rate":1.5}"#),
            put("/log/sample", JSON, r#"{"rate":"half"}"#),
            put(
                "/log/sample",
                JSON,
                &format!(r#"{{"rate":0.{}}}"#, "0".repeat(5_000)),
            ),
            put("/metrics", JSON, "{}"),
            get("/nowhere", ""),
            put(
                "/upstreams/ethereum/one/drained",
                JSON,
                r#"{"drained":true}"#,
            ),
            put(
                "/upstreams/ethereum/two/drained",
                JSON,
                r#"{"drained":true}"#,
            ),
            put("/upstreams/ethereum/one/drained", JSON, r#"{"drained":1}"#),
        ],
    );
    let statuses: Vec<_> = answers.iter().map(|answer| status(answer)).collect();
    assert_eq!(
        statuses,
        [
            200, 200, 400, 415, 415, 400, 400, 400, 400, 413, 405, 404, 200, 404, 400
        ]
    );
    assert_eq!(
        *process.changed.lock().unwrap(),
        ["level debug", "sample 0.25", "drained true"]
    );
    for answer in answers.iter().filter(|answer| status(answer) != 200) {
        assert!(json(answer)["error"].is_string(), "{answer}");
    }
}

#[test]
fn a_change_that_did_not_reach_every_shard_is_no_success() {
    let process = Arc::new(Process {
        refuse: true,
        ..Process::default()
    });
    let answer = one(&process, put("/log/sample", JSON, r#"{"rate":1}"#));
    assert_eq!(
        (status(&answer), json(&answer)["error"].as_str()),
        (503, Some("a shard did not answer"))
    );
}

#[test]
fn web_pages_get_nothing() {
    let paths = [
        "/",
        "/metrics",
        "/livez",
        "/readyz",
        "/debug/latency.hlog",
        "/log/level",
        "/nowhere",
    ];
    let hostile = [
        "Host: evil.example\r\n",
        "Host: evil.example:9545\r\n",
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Origin: http://127.0.0.1:9545\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
    ];
    let requests: Vec<_> = paths
        .iter()
        .flat_map(|path| hostile.iter().map(|header| get(path, header)))
        .collect();
    let process = Arc::new(Process::default());
    for (request, answer) in requests.iter().zip(ask(&process, &requests)) {
        assert_eq!(status(&answer), 403, "{request}");
        assert!(
            !answer.to_ascii_lowercase().contains("access-control-"),
            "{answer}"
        );
        assert!(!body(&answer).contains("livechain"), "{answer}");
    }
    let preflight = "OPTIONS /log/level HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n\
        Access-Control-Request-Method: PUT\r\nConnection: close\r\n\r\n";
    let write = put(
        "/log/level",
        &format!("{JSON}Origin: http://evil.example\r\n"),
        r#"{"level":"trace"}"#,
    );
    for answer in ask(&process, &[preflight.to_owned(), write]) {
        assert_eq!(status(&answer), 403);
    }
    assert!(process.changed.lock().unwrap().is_empty());
}

#[test]
fn hosts_that_are_ours_are_answered() {
    let requests = [
        get("/livez", "Host: localhost:9545\r\n"),
        get("/livez", "Host: [::1]:9545\r\n"),
        get("/livez", "Host: proxy.internal\r\n"),
        "GET /livez HTTP/1.0\r\n\r\n".to_owned(),
        "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(),
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
            .to_owned(),
        "GET http://evil.example/livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            .to_owned(),
    ];
    let statuses: Vec<_> = ask(&Arc::default(), &requests)
        .iter()
        .map(|answer| status(answer))
        .collect();
    assert_eq!(statuses, [200, 200, 200, 200, 400, 400, 403]);
}

#[test]
fn stopping_closes_idle_connections_and_the_port() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(serve(
            listener,
            Arc::<Process>::default(),
            Vec::new(),
            async {
                let _ = stopped.await;
            },
        ));
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut first = [0; 12];
        idle.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        stop.send(()).unwrap();
        serving.await.unwrap();
        let mut rest = Vec::new();
        idle.read_to_end(&mut rest).await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    });
}

/// Serves while `client` runs, on a clock that jumps ahead whenever everybody waits.
fn with_jumping_clock<F: Future<Output = ()>>(
    process: Process,
    client: impl FnOnce(std::net::SocketAddr) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::select! {
            () = serve(listener, Arc::new(process), Vec::new(), std::future::pending()) => {}
            () = client(address) => {}
        }
    });
}

#[test]
fn a_head_that_never_ends_is_cut() {
    with_jumping_clock(Process::default(), async |address| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: loc")
            .await
            .unwrap();
        let mut answer = Vec::new();
        // The connection ends, with or without a word.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    });
}

#[test]
fn an_answer_that_never_comes_is_given_up() {
    with_jumping_clock(
        Process {
            hangs: true,
            ..Process::default()
        },
        async |address| {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream
                .write_all(get("/metrics", "").as_bytes())
                .await
                .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert_eq!(status(&answer), 503);
        },
    );
}

#[test]
fn connections_beyond_the_limit_wait_their_turn() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = async {
            let mut held = Vec::new();
            for _ in 0..MAX_CONNECTIONS {
                let mut stream = TcpStream::connect(address).await.unwrap();
                stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
                // Answered, so it has its place.
                assert!(stream.read(&mut [0; 1_024]).await.unwrap() > 0);
                held.push(stream);
            }
            let mut late = TcpStream::connect(address).await.unwrap();
            late.write_all(get("/livez", "").as_bytes()).await.unwrap();
            let early = timeout(Duration::from_millis(100), late.readable()).await;
            assert!(early.is_err(), "there is no place for it yet");
            held.pop();
            let mut answer = String::new();
            late.read_to_string(&mut answer).await.unwrap();
            assert_eq!(status(&answer), 200);
        };
        tokio::select! {
            () = serve(listener, Arc::<Process>::default(), Vec::new(), std::future::pending()) => {}
            () = client => {}
        }
    });
}
