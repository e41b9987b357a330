//! Secrets are shown nowhere: not in the log at its most talkative, not by a command, not in an error, a metric or a `Debug`. A full session with planted secrets, and all
//! that was said is searched for them.

use std::os::unix::fs::PermissionsExt as _;

use reqwest::Method;
use serde_json::json;

use crate::answer::answered;
use crate::nodes::settings;
use crate::support::api::{Api, engagements};
use crate::support::device::{Device, SUBPROTOCOL};
use crate::support::hello::Hello;
use crate::support::node::{ADMIN_KEY, Node, PUBLISH_KEY, READ_KEY};
use crate::support::runner::{Running, run};
use crate::support::token::{SECRET, device_token, token, unsigned, with_swapped_claims};

const CLUSTER_SECRET: &str = "the-planted-secret-of-the-nodes-0123456789";
const PAYLOAD: &str = "planted-payload-that-nobody-may-log";
const DATA: &str = "planted-data-that-nobody-may-log";
const WRONG_KEY: &str = "planted-key-that-is-wrong-0123456789";

/// What was planted, each with a name for the message.
struct Planted(Vec<(&'static str, String)>);

impl Planted {
    fn new() -> Planted {
        let fixed = [
            ("auth.jwt_secret", SECRET),
            ("cluster.secret", CLUSTER_SECRET),
            ("the publisher's key", PUBLISH_KEY),
            ("the reader's key", READ_KEY),
            ("the admin's key", ADMIN_KEY),
            ("a wrong key", WRONG_KEY),
            ("a payload", PAYLOAD),
            ("data", DATA),
        ];
        Planted(fixed.into_iter().map(|(name, text)| (name, text.to_owned())).collect())
    }

    /// Plants a token: neither all of it nor its signature may be seen.
    fn token(&mut self, name: &'static str, token: String) -> String {
        let part = token.rsplit('.').find(|part| part.len() > 20).expect("a token has long parts").to_owned();
        self.0.push((name, part));
        token
    }

    #[track_caller]
    fn not_in(&self, place: &str, text: &str) {
        for (name, planted) in &self.0 {
            assert!(!text.contains(planted.as_str()), "{name} stands in {place}: {}", around(text, planted));
        }
    }
}

/// The line that holds it.
fn around<'a>(text: &'a str, planted: &str) -> &'a str {
    text.lines().find(|line| line.contains(planted)).unwrap_or_default()
}

/// Everything that a client does, rightly and wrongly.
async fn session(node: &Node, planted: &mut Planted) {
    let publisher = Api::publisher(node);
    publisher.queue("u", &json!({"id": "x", "payload": {"text": PAYLOAD}, "steps": 2})).await;
    publisher.publish("u", &json!({"id": "x", "payload": {"text": PAYLOAD}, "colour": PAYLOAD})).await;
    publisher.post_text(&engagements("u"), format!("{{\"id\":\"y\",\"payload\":\"{PAYLOAD}\",")).await;
    publisher.publish("u", &json!({"id": "n", "payload": PAYLOAD, "mode": "fire_and_forget"})).await;
    let good = planted.token("a good token", token("u"));
    let mut device = Hello::new("u", "d1").with("token", json!(good)).connect(node).await;
    let offer = device.expect("offer").await;
    device.expect("caught_up").await;
    device.ack_with_data(&offer, 1, &json!({"said": DATA})).await;
    let renewed = planted.token("a token that renews", device_token("u", "d1"));
    device.send(&json!({"type": "token", "token": renewed})).await;
    let wrong = planted.token("a token that renews nothing", with_swapped_claims("u", "somebody"));
    device.send(&json!({"type": "token", "token": wrong})).await;
    device.expect_error("unauthorized").await;
    for forged in [unsigned("forger"), with_swapped_claims("u", "victim")] {
        let forged = planted.token("a forged token", forged);
        let mut stranger = Device::open(node).await;
        stranger.send(Hello::new("u", "d2").with("token", json!(forged)).message()).await;
        stranger.expect_error("unauthorized").await;
        let bearer = format!("Bearer {forged}");
        let headers = [("Sec-WebSocket-Protocol", SUBPROTOCOL), ("Authorization", bearer.as_str())];
        assert!(Device::open_with(node, &headers).await.is_err());
    }
    let in_url = planted.token("a token in the URL", token("url"));
    Device::open_at(node, &format!("/v1/connect?token={in_url}")).await.expect("the upgrade is accepted").vanish();
    let api = Api::with_key(node, Some(WRONG_KEY));
    for path in [format!("/v1/outcomes?token={in_url}"), format!("/no/such/route/{in_url}"), format!("/v1/users/u?{in_url}={in_url}")] {
        assert!(api.get(&path).await.status >= 400);
    }
    let posted = planted.token("a posted token", token("poster"));
    let ack = json!({"type": "ack", "id": "x", "window": "w1", "step": 1, "data": DATA});
    let post = json!({"token": posted, "device": "d1", "messages": [ack]});
    Api::with_key(node, None).post("/v1/messages", &post).await.ok(200);
    Api::reader(node).get("/v1/outcomes").await.lines();
}

/// What the commands say.
fn commands(node: &Node, planted: &mut Planted) -> Vec<(&'static str, String)> {
    let url = node.url();
    let given = planted.token("a token of the command line", token("cli"));
    let mut said = Vec::new();
    let mut ran = |name: &'static str, arguments: &[&str], environment: &[(&str, &str)]| {
        let arguments = [arguments, &["--url", &url]].concat();
        let ran = run(&arguments, environment);
        said.push((name, format!("{}{}", ran.stdout, ran.stderr)));
    };
    let payload = format!("{{\"text\":\"{PAYLOAD}\"}}");
    ran("publish", &["publish", "--user", "cli", "--id", "x", "--payload", &payload, "--key", PUBLISH_KEY], &[]);
    ran("publish with a wrong key", &["publish", "--user", "cli", "--id", "x", "--payload", &payload], &[("ENGAGE_API_KEY", WRONG_KEY)]);
    ran("status", &["status", "--json"], &[("ENGAGE_API_KEY", ADMIN_KEY)]);
    ran("status with a wrong key", &["status", "--key", WRONG_KEY], &[]);
    ran(
        "connect with a forged token",
        &["connect", "--user", "u", "--device", "d"],
        &[("ENGAGE_TOKEN", &with_swapped_claims("u", "victim"))],
    );
    ran("help", &["connect", "--help"], &[("ENGAGE_TOKEN", &given), ("ENGAGE_API_KEY", ADMIN_KEY)]);
    // Of what it was sent it shows all, payloads too: that is what it is for.
    let mut device = Running::start(&["connect", "--user", "nobody", "--device", "d", "--url", &url, "--token", &token("nobody")], &[]);
    said.push(("connect", device.line() + &device.line()));
    let leak = format!(
        "[auth]\njwt_secret = \"{SECRET}\"\napi_keys = [{{ name = \"a b\", key = \"{ADMIN_KEY}\", role = \"x\" }}]\n[cluster]\nsecret = \"{CLUSTER_SECRET}\"\n"
    );
    let home = tempfile::tempdir().expect("a temporary directory");
    let path = home.path().join("engage.toml");
    std::fs::write(&path, leak).expect("a file can be written");
    let ran = run(&["check", path.to_str().expect("a path of UTF-8")], &[("ENGAGE_WINDOW__LENGTH", "x")]);
    assert_eq!(ran.code, 1);
    said.push(("check", format!("{}{}", ran.stdout, ran.stderr)));
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_tokens_and_payloads_stand_in_no_log_metric_or_output() {
    let expected = answered("not shown");
    let mut node = Node::start(settings().with("log.level", "trace").with("cluster.secret", CLUSTER_SECRET));
    let mut planted = Planted::new();
    session(&node, &mut planted).await;
    let said = commands(&node, &mut planted);
    let api = Api::with_key(&node, None);
    for path in ["/metrics", "/readyz", "/healthz", "/openapi.json", "/asyncapi.json"] {
        planted.not_in(path, &api.get(path).await.text);
    }
    let view = Api::admin(&node).get("/v1/cluster").await;
    planted.not_in("/v1/cluster", &view.text);
    for (name, text) in &said {
        planted.not_in(name, text);
    }
    node.ask_to_stop();
    assert!(node.wait_for_exit().0.success());
    let log = node.log();
    planted.not_in("the log", &log);
    assert!(log.contains("node serves") && log.lines().count() > 5, "{}: but the log says what happens: {log}", expected.words());
}

#[tokio::test]
async fn an_error_does_not_repeat_a_secret_that_came_at_the_wrong_place() {
    let expected = answered("not shown");
    let node = crate::nodes::common();
    let api = Api::with_key(node, Some(WRONG_KEY));
    let mut answers = vec![
        api.get("/v1/cluster").await,
        api.post("/v1/messages", &json!({"token": {"x": WRONG_KEY}, "device": "d1", "messages": []})).await,
    ];
    let bad = api.request(Method::POST, "/v1/stream").body(format!("{{\"type\":\"hello\",\"token\":[\"{WRONG_KEY}\"],\"device\":\"d\"}}"));
    answers.push(api.send(bad).await);
    for answer in answers {
        assert!(answer.status >= 400 && !answer.text.contains(WRONG_KEY), "{}: {answer:?}", expected.words());
    }
    let mut device = Device::open(node).await;
    device.send(&json!({"type": "hello", "token": format!("{WRONG_KEY}.x.y"), "device": "d1"})).await;
    let error = device.expect("error").await;
    assert!(!error.to_string().contains(WRONG_KEY), "{error}");
}

#[tokio::test]
async fn who_is_a_user_here_is_told_to_no_stranger() {
    let expected = answered("not shown");
    let node = crate::nodes::common();
    let user = crate::support::fresh("a-user-with-a-telling-name");
    Api::publisher(node).queue_plain(&user, "x").await;
    let mut device = Device::connect(node, &user, "a-device-with-a-telling-name").await;
    device.expect("offer").await;
    let api = Api::with_key(node, None);
    for path in ["/metrics", "/readyz", "/healthz", "/openapi.json", "/asyncapi.json"] {
        let text = api.get(path).await.text;
        assert!(!text.contains(&user) && !text.contains("telling-name"), "{}: {path}", expected.words());
    }
    // Known or not, who has no key hears the same.
    let (known, unknown) = (api.get(&format!("/v1/users/{user}")).await, api.get("/v1/users/nobody").await);
    assert_eq!((known.status, &known.text), (unknown.status, &unknown.text));
}

#[test]
fn no_type_shows_its_secret_by_debug() {
    use engage::client::{self, Credential, Dial};
    use engage::cluster::links::LinkSecret;
    use engage::config::{ApiKey, Config, Role, Secret};
    use engage::http::auth::ApiKeys;
    use engage::ledger::engagement::Payload;
    use engage::protocol::{client_message, post, token::Verifier};
    let expected = answered("not shown");
    let mut config = Config::default();
    config.auth.jwt_secret = Some(Secret::new(SECRET));
    config.cluster.secret = Some(Secret::new(SECRET));
    config.auth.api_keys = vec![ApiKey { name: "a".to_owned(), key: Secret::new(SECRET), role: Role::Admin }];
    let said = format!(r#"{{"type":"hello","token":"{SECRET}","device":"d1"}}"#);
    let renewal = format!(r#"{{"type":"token","token":"{SECRET}"}}"#);
    let ack = format!(r#"{{"type":"ack","id":"x","window":"w1","step":1,"data":"{SECRET}"}}"#);
    let posted = format!(r#"{{"token":"{SECRET}","device":"d1","messages":[{ack}]}}"#);
    let shown = [
        format!("{config:?} {config:#?}"),
        serde_json::to_string(&config).expect("it is JSON"),
        format!("{:?}", ApiKeys::new(config.auth.api_keys.clone())),
        format!("{:?}", LinkSecret::new(SECRET)),
        format!("{:?}", Verifier::from_secret(SECRET.as_bytes())),
        format!("{:?}", client_message::parse(&said)),
        format!("{:?}", client_message::parse(&renewal)),
        format!("{:?}", client_message::parse(&ack)),
        format!("{:?}", post::parse(posted.as_bytes())),
        format!("{:?}", Payload(SECRET.as_bytes().to_vec().into())),
        format!("{:?}", Credential::new(SECRET)),
        format!("{:?}", client::Hello::new(SECRET, "d1")),
        format!("{:?}", client::ClientMessage::Token { token: Credential::new(SECRET) }),
        format!("{:?}", Dial::to("http://127.0.0.1:1").header("Authorization", format!("Bearer {SECRET}"))),
        format!("{:?}", client::Api::new("http://127.0.0.1:1", Some(SECRET))),
    ];
    for text in &shown {
        assert!(!text.contains(SECRET), "{}: {text}", expected.words());
        assert!(text.len() > 8, "and something is shown: {text}");
    }
}

#[tokio::test]
async fn what_a_node_keeps_is_readable_by_its_own_user_alone() {
    let expected = answered("not shown");
    let node = Node::start(crate::support::node::Settings::new().with("cluster.shards", "1").with("cluster.secret", CLUSTER_SECRET));
    let mode = std::fs::metadata(node.data_dir()).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o700, "{}: payloads are in there", expected.words());
}
