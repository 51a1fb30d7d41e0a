//! URLs of upstreams: what is taken, what is refused and why, and that no key shows.

use proptest::prelude::*;

use super::*;

fn split(text: &str) -> (bool, String, u16, String) {
    let url = UpstreamUrl::parse(text).unwrap();
    (url.tls, url.host, url.port, url.target.expose().to_owned())
}

#[test]
fn urls_are_split() {
    for (text, tls, host, port, target) in [
        ("https://a.example.org", true, "a.example.org", 443, "/"),
        ("HTTP://A.Example.ORG/", false, "a.example.org", 80, "/"),
        (
            "https://a.example.org:8443/v2/Key?x=Y&z",
            true,
            "a.example.org",
            8443,
            "/v2/Key?x=Y&z",
        ),
        (
            "https://a.example.org?key=1",
            true,
            "a.example.org",
            443,
            "/?key=1",
        ),
        (
            "http://127.0.0.1:8545/a/../b//c",
            false,
            "127.0.0.1",
            8545,
            "/a/../b//c",
        ),
        (
            "http://[2001:DB8::1]:8545/rpc",
            false,
            "2001:db8::1",
            8545,
            "/rpc",
        ),
        (
            "http://geth_node:8545/@x:y",
            false,
            "geth_node",
            8545,
            "/@x:y",
        ),
        ("http://localhost./%7Ea", false, "localhost.", 80, "/%7Ea"),
    ] {
        assert_eq!(
            split(text),
            (tls, host.to_owned(), port, target.to_owned()),
            "{text}"
        );
    }
}

#[test]
fn authority_is_what_a_host_header_needs() {
    for (text, authority) in [
        ("https://a.example.org:443/", "a.example.org"),
        ("http://a.example.org:443/", "a.example.org:443"),
        ("http://[::1]/", "[::1]"),
        ("http://[::1]:1/", "[::1]:1"),
    ] {
        assert_eq!(UpstreamUrl::parse(text).unwrap().authority(), authority);
    }
}

#[test]
fn user_and_password_become_basic_authentication() {
    // RFC 7617 §2's own example, and one with an escape.
    for (userinfo, header) in [
        (
            "Aladdin:open%20sesame",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        ("me", "Basic bWU6"),
        (":p%40ss", "Basic OnBAc3M="),
        ("a:b:c", "Basic YTpiOmM="),
    ] {
        let url = UpstreamUrl::parse(&format!("https://{userinfo}@a.example.org/")).unwrap();
        assert_eq!(url.authorization.unwrap().expose(), header);
        assert_eq!(url.host, "a.example.org");
    }
}

#[test]
fn what_is_no_upstream_is_refused() {
    for text in [
        "",
        "a.example.org",
        "//a.example.org",
        "file:///etc/passwd",
        "ws://a.example.org",
        "https://",
        "https:///path",
        "https://a.example.org:",
        "https://a.example.org:0",
        "https://a.example.org:65536",
        "https://a.example.org:+1",
        "https://a b/",
        "https://a.example.org/\r\nX: y",
        "https://a.example.org/ä",
        "https://ä.example.org/",
        "https://a.example.org\\@b.example.org/",
        "https://a.example.org/#",
        "https://a.example.org/%zz",
        "https://a.example.org/%2",
        "https://-a.example.org/",
        "https://a..example.org/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://1.2.3.0x4/",
        "https://[::1/",
        "https://[::1]x/",
        "https://[v1.a]/",
        "https://::1/",
        "https://a%3Ab:c@a.example.org/",
    ] {
        assert!(UpstreamUrl::parse(text).is_err(), "{text:?}");
    }
    assert!(UpstreamUrl::parse(&format!("https://a.example.org/{}", "x".repeat(2048))).is_err());
}

#[test]
fn metadata_services_are_known_in_every_spelling() {
    for text in [
        "http://169.254.169.254/",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
        "http://metadata.google.internal/",
        "http://METADATA.google.internal./",
    ] {
        assert!(
            is_link_local(&UpstreamUrl::parse(text).unwrap().host),
            "{text}"
        );
    }
    for text in [
        "http://10.0.0.1/",
        "http://127.0.0.1/",
        "http://[fd00::1]/",
        "http://metadata.example.org/",
    ] {
        assert!(
            !is_link_local(&UpstreamUrl::parse(text).unwrap().host),
            "{text}"
        );
    }
    for text in [
        "http://0.0.0.0/",
        "http://[::]/",
        "http://255.255.255.255/",
        "http://224.0.0.1/",
        "http://[ff02::1]/",
    ] {
        assert!(
            is_unusable(&UpstreamUrl::parse(text).unwrap().host),
            "{text}"
        );
    }
}

#[test]
fn only_scheme_and_host_may_be_shown() {
    for (text, public) in [
        (
            "https://a.example.org/v2/key",
            Some("https://a.example.org"),
        ),
        (
            "https://a.example.org:8443?key",
            Some("https://a.example.org:8443"),
        ),
        ("wss://a.example.org", Some("wss://a.example.org")),
        ("https://user:key@a.example.org/", None),
        ("https://a.example.org:key/", None),
        ("https://key with blanks", None),
        ("ftp://a.example.org/", None),
        ("key", None),
    ] {
        assert_eq!(
            public_prefix(text).map(|end| &text[..end]),
            public,
            "{text}"
        );
    }
}

#[test]
fn neither_debug_nor_display_shows_more_than_the_host() {
    let url =
        UpstreamUrl::parse("https://user:hidden@a.example.org:8443/v2/hidden?hidden").unwrap();
    assert_eq!(url.to_string(), "https://a.example.org:8443/…");
    assert!(!format!("{url:?} {:?} {:?}", url.target, url.authorization).contains("hidden"));
}

proptest! {
    #[test]
    fn no_text_panics_and_no_fault_tells_the_path(path in "[ -~]{0,40}", host in "[a-z0-9.:@\\[\\]-]{0,20}") {
        let text = format!("https://{host}/hidden{path}");
        if let Err(fault) = UpstreamUrl::parse(&text) {
            prop_assert!(!fault.message.contains("hidden"), "{}", fault.message);
        }
    }

    #[test]
    fn what_is_parsed_goes_on_a_request_line(text in "https?://[ -~]{0,60}") {
        if let Ok(url) = UpstreamUrl::parse(&text) {
            prop_assert!(url.target.expose().starts_with('/'));
            prop_assert!(url.target.expose().bytes().all(|b| b.is_ascii_graphic()));
            prop_assert!(!url.host.is_empty() && !url.host.contains(['/', '@', '?', '#', '[', ' ']));
        }
    }
}
