use super::*;
use crate::feed::simulated::Instruments;

/// Loads the configuration from a file with this text, from environment variables and from flags. In the text
/// of an error, replaces the path of the file with `config.toml`.
fn load(text: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Config, String> {
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    std::fs::write(file.path(), text).unwrap();
    let sources = Sources {
        file: Some(file.path().to_owned()),
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        flags: flags.iter().map(|(key, value)| (*key, Value::from(*value))).collect(),
    };
    let location = file.path().display().to_string();
    let loaded = Config::load(&sources).map(|loaded| loaded.config);
    loaded.map_err(|error| format!("{error}; hint: {}", error.hint()).replace(&location, FILE))
}

#[test]
fn the_shipped_file_has_every_key_with_its_default() {
    let text = include_str!("../../config.toml");
    let shipped: toml::Table = text.parse().unwrap();
    let defaults = toml::Table::try_from(Config::default()).unwrap();

    assert_eq!(
        Config::load(&Sources { file: Some(FILE.into()), ..Sources::default() }).unwrap().config,
        Config::default()
    );
    assert_eq!(keys(&shipped, ""), keys(&defaults, ""));
}

#[test]
fn a_flag_overrides_the_environment_and_the_environment_overrides_the_file() {
    let text = "log = \"warn\"\n[server]\nlisten = \"a:1\"\nshutdown = \"1s\"";
    let environment = [("TICKERPLANT_SERVER__LISTEN", "b:1"), ("TICKERPLANT_SERVER__SHUTDOWN", "2s")];

    let config = load(text, &environment, &[("server.listen", "c:1")]).unwrap();

    assert_eq!(config.log, "warn");
    assert_eq!(config.server.shutdown, std::time::Duration::from_secs(2));
    assert_eq!(config.server.listen, "c:1");
}

#[test]
fn lists_and_numbers_are_read_from_the_environment_unchanged() {
    let environment = [
        ("TICKERPLANT_FEED__SIMULATED__SYMBOLS", "005930,AAPL"),
        ("TICKERPLANT_FEED__SIMULATED__RATE", "250"),
        ("TICKERPLANT_RELAY__ENABLED", "false"),
        ("TICKERPLANT_LOG", "debug"),
        ("TICKERPLANT_FEED__CLOCK__SPEED", "0.5"),
        ("TICKERPLANT_FEED__REPLAY__MAP__TIME", "0"),
        ("TICKERPLANT_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
    ];

    let config = load("", &environment, &[]).unwrap();

    let symbols = config.feed.simulated.symbols.list();
    let names: Vec<_> = symbols.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["005930", "AAPL"]);
    assert_eq!(config.feed.simulated.rate.get(), 250);
    assert!(!config.relay.enabled);
    assert_eq!(config.log, "debug");
    assert_eq!(config.feed.clock.speed, feed::Speed::Factor(0.5));
    assert_eq!(config.feed.replay.map.0.len(), 1);
    assert_eq!(config.server.trusted_proxies.len(), 2);
}

#[test]
fn a_column_is_mapped_by_its_name_or_its_number() {
    let config = load("[feed.replay.map]\ntime = 0\nprice = \"px\"", &[], &[]).unwrap();

    let columns: Vec<_> = config.feed.replay.map.0.iter().map(|(role, at)| (role.name(), &at[..])).collect();
    assert_eq!(columns, [("time", "0"), ("price", "px")]);
}

#[test]
fn a_number_of_symbols_is_read_from_each_source_and_printed_as_a_number() {
    let environment = [("TICKERPLANT_FEED__SIMULATED__SYMBOLS", "500")];
    let flags = [("feed.simulated.symbols", "500")];
    for (text, environment, flags) in [
        ("[feed.simulated]\nsymbols = 500", &[][..], &[][..]),
        ("", &environment, &[]),
        ("[feed.simulated]\nsymbols = [\"A\"]", &environment, &[]),
        ("[feed.simulated]\nsymbols = [\"A\"]", &[], &flags),
    ] {
        let config = load(text, environment, flags).unwrap();

        assert_eq!(config.feed.simulated.symbols, Instruments::Invented(500));
        let printed = toml::to_string_pretty(&config).unwrap();
        assert_eq!(load(&printed, &[], &[]).unwrap(), config);
    }
    let list = load("[feed.simulated]\nsymbols = [\"500\"]", &[], &[]).unwrap();
    assert_eq!(list.feed.simulated.symbols.list()[0].name.as_str(), "500");
    let error = load("", &[], &[("feed.simulated.symbols", "0")]).unwrap_err();
    assert!(error.starts_with("--symbols: `0` is not a number of symbols from 1 to 65536"), "{error}");
    for text in ["0", "-5", "+5", "1.5", "1e3", "70000"] {
        let error = load("", &[], &[("feed.simulated.symbols", text)]).unwrap_err();
        assert!(error.starts_with(&format!("--symbols: `{text}` is not a number of symbols from 1 to")));
        assert!(error.contains(&format!("; a symbol with this name is written `{text},`;")), "{error}");

        let as_name = format!("{text},");
        let config = load("", &[], &[("feed.simulated.symbols", &as_name)]).unwrap();
        assert_eq!(config.feed.simulated.symbols.list()[0].name.as_str(), text);
    }
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let environment = [
        ("TICKERPLANT_SERVER__TRUSTED_PROXIES", ""),
        ("TICKERPLANT_SERVER__LISTEN", ""),
        ("TICKERPLANT_LOG", ""),
        ("TICKERPLANT_NO__SUCH_KEY", ""),
    ];

    assert_eq!(load("", &environment, &[]).unwrap(), Config::default());
}

#[test]
fn a_variable_that_sets_no_key_causes_a_warning_that_names_the_nearest_key() {
    let warnings = |name: &str| {
        let environment = vec![(name.to_owned(), "tcp://10.0.0.1:8000".to_owned())];
        let sources = Sources { file: Some(FILE.into()), environment, flags: Vec::new() };
        Config::load(&sources).unwrap().warnings
    };
    for (name, warning) in [
        ("TICKERPLANT_PORT_8000_TCP", "TICKERPLANT_PORT_8000_TCP is not read; a variable that"),
        (
            "TICKERPLANT_SERVER_LISTEN",
            "TICKERPLANT_SERVER_LISTEN is not read; did you mean TICKERPLANT_SERVER__LISTEN?",
        ),
        (
            "TICKERPLANT_SERVER_LISTN",
            "TICKERPLANT_SERVER_LISTN is not read; did you mean TICKERPLANT_SERVER__LISTEN?",
        ),
        ("TICKERPLANT_LISTEN", "TICKERPLANT_LISTEN is not read; did you mean TICKERPLANT_SERVER__LISTEN?"),
        (
            "TICKERPLANT_FEED_CLOCK_MAX_GAP",
            "TICKERPLANT_FEED_CLOCK_MAX_GAP is not read; did you mean TICKERPLANT_FEED__CLOCK__MAX_GAP?",
        ),
    ] {
        let found = warnings(name);
        assert!(found.len() == 1 && found[0].starts_with(warning), "{found:?}");
    }
    for section in ["SERVER", "FEED", "FEED_CLOCK", "CLOCK"] {
        let found = warnings(&format!("TICKERPLANT_{section}"));
        let is_right = found.len() == 1 && found[0].contains("is not read; a variable that sets a key");
        assert!(is_right, "{found:?}");
    }
    for name in ["TICKERPLANT_TOKEN", "TICKERPLANT_FAULT", "TICKER", "PATH"] {
        assert!(warnings(name).is_empty(), "{name}");
    }
}

#[test]
fn the_error_for_an_unknown_key_names_its_place_and_the_nearest_key() {
    for (text, error) in [
        (
            "\n[session]\nheartbaet = \"5s\"",
            "config.toml:3: unknown key `session.heartbaet`; hint: did you mean session.heartbeat?",
        ),
        ("listen = \"a:1\"", "config.toml:1: unknown key `listen`; hint: did you mean server.listen?"),
        (
            "[relay]\nrate = 1\n[feed.clok]\nspeed = 1",
            "config.toml:3: unknown key `feed.clok`; hint: did you mean feed.clock?",
        ),
        (
            "[server]\nxyzzy = 1",
            "config.toml:2: unknown key `server.xyzzy`; hint: the project's config.toml explains",
        ),
        (
            "[feed.clock]\nmaxgap = 1",
            "config.toml:2: unknown key `feed.clock.maxgap`; hint: did you mean feed.clock.max_gap?",
        ),
        (
            "[[auth.tokens]]\nname = \"a\"\nsubscibe = []",
            "config.toml:3: unknown key `auth.tokens[0].subscibe`; hint: did you mean auth.tokens[0].subscribe?",
        ),
    ] {
        let found = load(text, &[], &[]).unwrap_err();
        assert!(found.starts_with(error), "{found}");
    }
    for (name, error) in [
        (
            "TICKERPLANT_SERVER__LISTN",
            "TICKERPLANT_SERVER__LISTN: unknown key `server.listn`; hint: did you mean TICKERPLANT_SERVER__LISTEN?",
        ),
        (
            "TICKERPLANT_SERVR__LISTEN",
            "TICKERPLANT_SERVR__LISTEN: unknown key `servr.listen`; hint: did you mean TICKERPLANT_SERVER__LISTEN?",
        ),
        (
            "TICKERPLANT__SERVER__LISTEN",
            "TICKERPLANT__SERVER__LISTEN: unknown key `_server.listen`; hint: did you mean TICKERPLANT_SERVER__LISTEN?",
        ),
    ] {
        let found = load("", &[(name, "a:1")], &[]).unwrap_err();
        assert!(found.starts_with(error), "{found}");
    }
}

#[test]
fn the_error_for_a_wrong_value_in_the_file_names_the_line_the_value_and_the_right_form() {
    for (text, error) in [
        (
            "[relay]\nburst = 0",
            "config.toml:2: relay.burst: `0` is not a whole number from 1 to 1000000; hint: e.g. burst = 20",
        ),
        ("[server]\nlisten = [\n", "config.toml:2: "),
        (
            "[session]\nheartbeat = \"0s\"",
            "config.toml:2: session.heartbeat: `\"0s\"` is not a time from 1ms to 24h, such as 250ms, 5s or 1m; hint: e.g. heartbeat = \"5s\"",
        ),
        ("[session]\nheartbeat = 5", "config.toml:2: session.heartbeat: `5` is not a time from"),
        (
            "[server]\nflush_window = \"1h\"",
            "config.toml:2: server.flush_window: `\"1h\"` is not a time from 0s to 1s",
        ),
        (
            "[server]\nmax_headers = 10001",
            "config.toml:2: server.max_headers: `10001` is not a whole number from 0 to 10000",
        ),
        (
            "[session]\nevery_buffer = 0",
            "config.toml:2: session.every_buffer: `0` is not a whole number from 1024 to",
        ),
        (
            "[feed.clock]\nmax_gap = \"0s\"",
            "config.toml:2: feed.clock.max_gap: `\"0s\"` is not a time from 1ms to 365days",
        ),
        (
            "[limits]\nping_interval = \"25h\"",
            "config.toml:2: limits.ping_interval: `\"25h\"` is not a time from 0s to 24h",
        ),
        ("[auth]\ntimeout = \"25h\"", "config.toml:2: auth.timeout: `\"25h\"`"),
        ("[feed]\nstalled_after = \"0s\"", "config.toml:2: feed.stalled_after: `\"0s\"`"),
        ("[feed.replay]\nstall_timeout = \"0s\"", "config.toml:2: feed.replay.stall_timeout: `\"0s\"`"),
        ("[server]\nlisten = 5", "config.toml:2: server.listen: `5` is not an address and a port"),
        (
            "[server]\nlisten = \"nonsense\"",
            "config.toml:2: server.listen: `\"nonsense\"` is not an address and a port",
        ),
        (
            "[server]\ntls_key = \"\"\"\n-----BEGIN PRIVATE KEY-----\nsecret\n\"\"\"",
            "config.toml:2: server.tls_key: the text of a PEM file is not the path",
        ),
        (
            "[feed.simulated]\nrate = 4000000000",
            "config.toml:2: feed.simulated.rate: `4000000000` is not a whole number from 1 to 1000000",
        ),
        ("[feed.simulated]\nrate = 1.5", "config.toml:2: feed.simulated.rate: `1.5` is not a whole number"),
        (
            "[feed.simulated]\nsymbols = [\n  \"A\",\n  true,\n]",
            "config.toml:4: feed.simulated.symbols[1]: `true` is not a symbol or a table",
        ),
        (
            "[feed.simulated]\nsymbols = [\"A\", \"A\"]",
            "config.toml:2: feed.simulated.symbols: `A` is there twice",
        ),
        (
            "[feed]\nkind = \"simulatd\"",
            "config.toml:2: feed.kind: `\"simulatd\"` is not simulated, replay or stdin",
        ),
        ("[feed.replay]\ntz = \"Mars\"", "config.toml:2: feed.replay.tz: `Mars` is not a time zone"),
        (
            "[feed.replay]\nto = \"2024-01-01\"\nfrom = 2024-01-02",
            "config.toml:2: feed.replay.to: 2024-01-01T00:00:00Z is not after",
        ),
        ("log = \"loud\"", "config.toml:1: log: `\"loud\"` is not a level"),
        ("log = \"\"", "config.toml:1: log: `\"\"` is not a level"),
        ("log = 0", "config.toml:1: log: `0` is not a level"),
        ("log = \"0\"", "config.toml:1: log: `\"0\"` is not a level"),
        ("server = 5", "config.toml:1: server: `5` is not a table"),
        (
            "[relay]\nenabled = \"yes\"",
            "config.toml:2: relay.enabled: `\"yes\"` is not true or false; hint: e.g. enabled = true",
        ),
        ("[[auth.tokens]]\nname = \"a\"", "config.toml:1: auth.tokens[0]: a token is given as its SHA-256"),
        ("[[auth.tokens]]\nrelay = true", "config.toml:1: auth.tokens[0]: `name` is missing"),
    ] {
        let found = load(text, &[], &[]).unwrap_err();
        assert!(found.starts_with(error) && !found.contains("secret"), "{found}");
    }
}

#[test]
fn the_error_for_a_wrong_column_number_or_section_names_the_line_and_the_right_form() {
    for (text, error) in [
        (
            "[feed.replay.map]\n\n\ntime = -1",
            "config.toml:4: feed.replay.map.time: `-1` is not a column's name in quotes, or its number from 0",
        ),
        (
            "[feed.replay.map]\ntime = true",
            "config.toml:2: feed.replay.map.time: `true` is not a column's name",
        ),
        (
            "[feed.replay.map]\n\nfoo = \"5\"",
            "config.toml:3: feed.replay.map.foo: `foo` is not a role of a column; roles are time, date, ",
        ),
        ("[feed.replay]\nmap.foo = 5", "config.toml:2: feed.replay.map.foo: `foo` is not a role"),
        (
            "[limits]\nconnections = 99999999999999999999999",
            "config.toml:2: limits.connections: `99999999999999999999999` is not a whole number from ",
        ),
        (
            "[limits]\nconnections = 0xffffffffffffffffffff",
            "config.toml:2: limits.connections: `0xffffffffffffffffffff` is not a whole number from ",
        ),
        ("[feed.clock]\nspeed = 1e999", "config.toml:2: feed.clock.speed: `1e999` is not a number from"),
        (
            "[feed.replay]\ntz = 99999999999999999999999",
            "config.toml:2: feed.replay.tz: `99999999999999999999999` is not a text in quotes",
        ),
        (
            "log = \"info\"\n[[server]]\nlisten = \"a:1\"",
            "config.toml:2: server: a list is not a table, which begins with [server]",
        ),
        (
            "[[feed.clock]]\nspeed = 1",
            "config.toml:1: feed.clock: a list is not a table, which begins with [feed.clock]",
        ),
    ] {
        let found = load(text, &[], &[]).unwrap_err();
        assert!(found.starts_with(error), "{found}");
    }
}

#[test]
fn a_file_that_is_not_utf_8_is_an_error_with_the_line() {
    let file = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    let sources = Sources { file: Some(file.path().to_owned()), ..Sources::default() };
    let utf_16: Vec<u8> = "log = \"info\"\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf_16 = [&[0xff, 0xfe][..], &utf_16].concat();
    for (bytes, line) in
        [(&b"log = \"info\"\n# B\xf6rse\n"[..], 2), (&b"log = \"\xf6\""[..], 1), (&utf_16, 1)]
    {
        std::fs::write(file.path(), bytes).unwrap();

        let error = Config::load(&sources).unwrap_err().to_string();

        let place = format!("{}:{line}: the text is not UTF-8", file.path().display());
        assert!(error.starts_with(&place), "{error}");
    }
}

#[test]
fn the_error_for_a_wrong_value_of_a_variable_names_the_variable() {
    for (name, value, error) in [
        (
            "TICKERPLANT_FEED__SIMULATED__RATE",
            "yes",
            "`yes` is not a whole number from 1 to 1000000; hint: e.g. TICKERPLANT_FEED__SIMULATED__RATE=100",
        ),
        ("TICKERPLANT_FEED__SIMULATED__RATE", "-5", "`-5` is not a whole number"),
        (
            "TICKERPLANT_SERVER__TLS_KEY",
            "-----BEGIN PRIVATE KEY-----\\nsecret",
            "the text of a PEM file is not the path of a private key",
        ),
        (
            "TICKERPLANT_SERVER__LISTEN__X",
            "x",
            "unknown key `server.listen.x`; hint: did you mean TICKERPLANT_SERVER__LISTEN?",
        ),
        ("TICKERPLANT_RELAY__ENABLED", "yes", "`yes` is not true or false"),
        ("TICKERPLANT_SERVER__TRUSTED_PROXIES", "proxy", "`proxy` is neither an address nor a network"),
        ("TICKERPLANT_SERVER__LISTEN", "[::1]", "`[::1]` is not an address and a port"),
        ("TICKERPLANT_FEED__REPLAY__MAP", "time=0", "`time=0` is not a table"),
    ] {
        let found = load("", &[(name, value)], &[]).unwrap_err();
        assert!(found.starts_with(&format!("{name}: {error}")), "{found}");
    }
}

#[test]
fn the_error_for_a_wrong_value_of_a_flag_names_the_flag() {
    for (key, value, error) in [
        (
            "feed.simulated.rate",
            "-5",
            "--rate: `-5` is not a whole number from 1 to 1000000; hint: e.g. --rate 100",
        ),
        (
            "feed.clock.max_gap",
            "5",
            "--max-gap: `5` is not a time from 1ms to 365days, such as 250ms, 5s or 1m",
        ),
        (
            "feed.clock.speed",
            "0",
            "--speed: `0` is not a number from 0.000001 to 1000000, or max; hint: e.g. --speed 1",
        ),
    ] {
        let found = load("", &[], &[(key, value)]).unwrap_err();
        assert!(found.starts_with(error), "{found}");
    }
}

#[test]
fn a_wrong_value_is_an_error_even_if_another_source_overrides_it() {
    let error = load("[server]\nlisten = \"nonsense\"", &[], &[("server.listen", "a:1")]).unwrap_err();

    assert!(error.starts_with("config.toml:2: server.listen: "), "{error}");
}

#[test]
fn a_value_of_a_wrong_type_is_an_error_with_the_key_the_place_and_the_right_form() {
    const WRONG: [&str; 7] = ["\"?\"", "-1", "99999999999999999", "[[true]]", "{ a = 1 }", "true", "1.5"];
    const FORMS: [&str; 4] =
        [" is not ", " is neither ", "; symbols are ", "; hint: inspect --help lists them"];
    // Some keys accept one of the values in `WRONG`.
    const RIGHT: [&str; 12] = [
        "server.tls_cert = \"?\"",
        "server.tls_key = \"?\"",
        "feed.clock.speed = 1.5",
        "feed.simulated.seed = 99999999999999999",
        "feed.replay.delimiter = \"?\"",
        "cluster.credentials = \"?\"",
        "cluster.nkey_seed = \"?\"",
        "cluster.password_file = \"?\"",
        "cluster.token_file = \"?\"",
        "cluster.tls_ca = \"?\"",
        "cluster.tls_cert = \"?\"",
        "cluster.tls_key = \"?\"",
    ];
    const TYPES: [&str; 14] = [
        "u8", "u16", "u32", "u64", "usize", "i64", "f64", "bit", "boolean", "NonZero", "nonzero", "struct",
        "variant", "invalid",
    ];
    let defaults = toml::Table::try_from(Config::default()).unwrap();
    let is_switch = |key: &str| KeyPath::of_key(key).find(&defaults).is_some_and(Value::is_bool);
    let sections = ["feed.clock", "feed.simulated", "feed.replay"];
    let (mut accepted, mut unclear) = (Vec::new(), Vec::new());
    for key in keys::all().into_iter().filter(|key| key.contains('.') && !sections.contains(&key.as_str())) {
        let (section, name) = key.rsplit_once('.').unwrap();
        for value in WRONG.into_iter().filter(|value| !(is_switch(&key) && *value == "true")) {
            let Err(error) = load(&format!("[{section}]\n{name} = {value}"), &[], &[]) else {
                accepted.push(format!("{key} = {value}"));
                continue;
            };
            let has = |texts: &[&str]| texts.iter().any(|text| error.contains(text));
            let is_in_place = error.starts_with(&format!("config.toml:2: {key}"));
            if !is_in_place || has(&TYPES) || !has(&FORMS) {
                unclear.push(error);
            }
        }
    }
    assert!(unclear.is_empty(), "{unclear:#?}");
    assert_eq!(accepted, RIGHT);
}

#[test]
fn every_number_and_time_has_a_range() {
    let defaults = toml::Table::try_from(Config::default()).unwrap();
    let checks = Config::default().checks();
    for key in keys::all() {
        let is_time =
            |text: &str| text.starts_with(|c: char| c.is_ascii_digit()) && text.ends_with(['s', 'm', 'h']);
        let needs_range = match KeyPath::of_key(&key).find(&defaults) {
            // The session `24h` is no duration, but the hours of a day.
            Some(Value::String(text)) => is_time(text) && key != "feed.simulated.session",
            Some(value) => value.is_integer() || value.is_float(),
            None => false,
        };
        let check = checks.iter().find(|check| check.key == key);
        assert!(!needs_range || check.is_some_and(|check| check.form.contains(" from ")), "{key}");
    }
    for check in checks {
        assert!(keys::all().contains(&check.key), "{} is no key", check.key);
    }
}

#[test]
fn the_printed_configuration_loads_as_the_same_configuration() {
    let config =
        load("[feed.simulated]\nseed = 9223372036854775807\nstart = 2024-01-03T14:30:00Z", &[], &[]).unwrap();

    let printed = toml::to_string_pretty(&config).unwrap();

    assert_eq!(load(&printed, &[], &[]).unwrap(), config);
}

#[test]
fn tokens_with_the_same_name_or_hash_or_an_empty_name_are_errors() {
    let token =
        |name: &str, digit: u8| format!("[[auth.tokens]]\nname = \"{name}\"\nsha256 = \"{digit:064}\"\n");
    for (second, error) in [
        (
            token("b", 1),
            "config.toml:6: auth.tokens[1].sha256: the value is not a SHA-256 that no other token has",
        ),
        (
            token("a", 2),
            "config.toml:5: auth.tokens[1].name: the value is not a name that no other token has",
        ),
        (token("", 2), "config.toml:5: auth.tokens[1].name: the value is not a name, because it is empty"),
        (token(" ", 2), "config.toml:5: auth.tokens[1].name: the value is not a name"),
    ] {
        let found = load(&(token("a", 1) + &second), &[], &[]).unwrap_err();
        assert!(found.starts_with(error), "{found}");
    }
    assert_eq!(load(&(token("a", 1) + &token("b", 2)), &[], &[]).unwrap().auth.tokens.len(), 2);
}

#[test]
fn the_error_for_the_text_of_a_token_names_its_key_and_the_hash() {
    let error = load("[[auth.tokens]]\nname = \"a\"\ntoken = \"secret\"", &[], &[]).unwrap_err();

    assert!(error.starts_with("config.toml:3: unknown key `auth.tokens[0].token`; hint: "), "{error}");
    assert!(
        error.contains("name, sha256, subscribe") && error.contains("printf %s TOKEN | sha256sum"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn a_token_in_the_wrong_place_is_not_repeated() {
    for (text, environment) in [
        ("[auth]\ntokens = [\"my secret\"]", None),
        ("[[auth.tokens]]\nname = \"a\"\nsha256 = \"my secret\"", None),
        ("", Some(("TICKERPLANT_AUTH__TOKENS", "my secret"))),
        ("", Some(("TICKERPLANT_AUTH__TOKENS", "my secret,my secret"))),
        ("[[auth.tokens]]\n\"my secret\" = true", None),
        ("[auth.tokens]\n\"my secret\" = true", None),
        ("[[auth.tokens]]\nname = \"a\"\nrelay = \"my secret\"", None),
        ("[[auth.tokens]]\nname = \"a\"\nsha256 = my secret", None),
        ("[[auth.tokens]]\nname = \"a\"\nsha256 = \"my secret", None),
    ] {
        let error = load(text, environment.as_slice(), &[]).unwrap_err();
        assert!(
            ["auth.tokens", "AUTH__TOKENS", "SHA-256", "config.toml:3"]
                .iter()
                .any(|part| error.contains(part)),
            "{error}"
        );
        assert!(!error.contains("secret"), "{error}");
    }
}

fn keys(table: &toml::Table, prefix: &str) -> Vec<String> {
    let mut keys: Vec<String> = table
        .iter()
        .flat_map(|(key, value)| match value {
            toml::Value::Table(inner) => keys(inner, &format!("{prefix}{key}.")),
            _ => vec![format!("{prefix}{key}")],
        })
        .collect();
    keys.sort();
    keys
}
