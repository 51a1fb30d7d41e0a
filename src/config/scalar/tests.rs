//! Scalars: durations, sizes, shares and words, each at its edges.

use proptest::prelude::*;

use super::*;

#[test]
fn durations_are_read_as_operators_write_them() {
    for (text, ns) in [
        ("0", 0),
        ("0s", 0),
        ("250ms", 250_000_000),
        ("10s", 10_000_000_000),
        ("1.5s", 1_500_000_000),
        ("0.25ms", 250_000),
        ("1m30s", 90_000_000_000),
        ("2h5m", 7_500_000_000_000),
        ("1d", 86_400_000_000_000),
        ("7us5ns", 7_005),
    ] {
        assert_eq!(
            parse_duration(text),
            Some(Duration::from_nanos(ns)),
            "{text}"
        );
    }
}

#[test]
fn what_is_no_duration_is_refused() {
    for text in [
        "",
        "10",
        "s",
        "-1s",
        "+1s",
        "1 s",
        "1s ",
        "10S",
        "1M",
        "1s1m",
        "1s2s",
        "1.s",
        ".5s",
        "1e3s",
        "1m30",
        "0.1ns",
        "9999999999d",
        "1s\n",
        "٣s",
        "1µs",
    ] {
        assert_eq!(parse_duration(text), None, "{text:?}");
    }
}

#[test]
fn sizes_tell_decimal_from_binary() {
    for (text, bytes) in [
        ("0", 0),
        ("512", 512),
        ("512B", 512),
        ("64KiB", 65_536),
        ("64 KiB", 65_536),
        ("64kB", 64_000),
        ("64KB", 64_000),
        ("1.5MiB", 1_572_864),
        ("2GB", 2_000_000_000),
        ("4GiB", 4_294_967_296),
    ] {
        assert_eq!(parse_size(text), Some(bytes), "{text}");
    }
    for text in [
        "",
        "KiB",
        "-1",
        "5MX",
        "5mib",
        "1.1B",
        "1e6",
        "99999999999999999999",
        "99999999999GiB",
        "0x10",
        "5M",
    ] {
        assert_eq!(parse_size(text), None, "{text:?}");
    }
}

#[test]
fn shares_are_percent_or_fractions_of_one() {
    for (text, share) in [
        ("20%", 0.2),
        ("0.2", 0.2),
        ("2.5 %", 0.025),
        ("0", 0.0),
        ("1", 1.0),
        ("100%", 1.0),
        // What is written in either way is one number, bounds of other ranges included.
        ("99.9%", 0.999),
        ("0.1%", 0.001),
        ("7%", 0.07),
    ] {
        assert_eq!(parse_share(text), Some(share), "{text}");
    }
    for text in [
        "",
        "%",
        "101%",
        "1.1",
        "-1%",
        "nan",
        "inf",
        "1e-3",
        "20 percent",
        "5%%",
    ] {
        assert_eq!(parse_share(text), None, "{text:?}");
    }
}

#[test]
fn whole_numbers_are_digits_alone() {
    assert_eq!(parse_whole("007"), Some(7));
    assert_eq!(parse_whole("18446744073709551615"), Some(u64::MAX));
    for text in [
        "",
        "-1",
        "+1",
        "0x1",
        "1_000",
        "1e3",
        "1.0",
        " 1",
        "18446744073709551616",
        "١",
    ] {
        assert_eq!(parse_whole(text), None, "{text:?}");
    }
}

proptest! {
    #[test]
    fn a_written_duration_reads_back(ns in any::<u64>()) {
        let span = Duration::from_nanos(ns);
        prop_assert_eq!(parse_duration(&format_duration(span)), Some(span));
    }

    #[test]
    fn a_written_size_reads_back(bytes in any::<u64>()) {
        prop_assert_eq!(parse_size(&format_size(bytes)), Some(bytes));
    }

    #[test]
    fn a_written_share_reads_back(share in 0.0..=1.0_f64) {
        prop_assert_eq!(parse_share(&format_share(share)), Some(share));
    }

    #[test]
    fn percent_and_fraction_are_one_number(hundredths in 0..=10_000_u32) {
        let percent = format!("{}.{:02}%", hundredths / 100, hundredths % 100);
        let fraction = format!("{}.{:04}", hundredths / 10_000, hundredths % 10_000);
        prop_assert_eq!(parse_share(&percent), parse_share(&fraction));
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = (parse_duration(&text), parse_size(&text), parse_share(&text), parse_whole(&text));
    }
}

#[test]
fn money_is_read_to_the_millionth_and_no_finer() {
    for (text, millionths) in [
        ("0.45", 450_000),
        ("0", 0),
        ("1", 1_000_000),
        ("0.000001", 1),
        ("18446744073709.551615", u64::MAX),
    ] {
        assert_eq!(parse_money(text), Some(millionths), "{text}");
        assert_eq!(format_money(millionths), text);
    }
    for text in [
        "",
        "0.0000001",
        "-1",
        ".5",
        "1.",
        "1e3",
        "0,45",
        "18446744073709.551616",
        "0.45 EUR",
    ] {
        assert_eq!(parse_money(text), None, "{text}");
    }
}
