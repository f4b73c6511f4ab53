use super::columns::Columns;
use super::header::HeaderColumn;
use super::role::normal;
use super::*;
use crate::feed::replay::number::DecimalSign;
use crate::feed::replay::time::DateOrder;

fn records(text: &str) -> Vec<Record> {
    text.lines().map(|line| line.split(',').map(|cell| cell.as_bytes().to_vec()).collect()).collect()
}

fn given() -> Given<'static> {
    Given { path: "AAPL.csv", ..Given::default() }
}

fn layout(header: &str) -> Result<Layout, LayoutError> {
    recognize(&records(header), given()).map(|found| found.layout)
}

#[test]
fn columns_are_found_in_any_order_and_case() {
    let found = layout(" Volume ,CLOSE,low,High,Open,<Ticker>,TimeStamp").unwrap();

    assert_eq!(found.times.columns, TimeColumns::One(6));
    assert_eq!(found.symbol.unwrap().name, Some(5));
    let bars = Values::Bars { open: Some(4), high: Some(3), low: Some(2), close: 1, volume: Some(0) };
    assert_eq!(found.values, bars);
}

#[test]
fn a_line_of_which_at_most_a_quarter_are_values_may_be_a_header() {
    assert!(layout("time,price,size,5\n1704292200,1,2,x").is_ok());
    assert_eq!(layout("time,price,5\n1704292200,1,x").unwrap_err(), LayoutError::NoShape(0));
}

#[test]
fn several_prices_in_fractions_are_no_thousands() {
    assert_eq!(
        layout("time,price\n1704292200,112'165\n1704292260,112'165").unwrap_err(),
        LayoutError::Fractions("112'165".to_owned())
    );
    assert!(layout("time,price\n1704292200,112'165").is_ok());
}

#[test]
fn levels_of_a_book_count_from_0_or_1() {
    for (header, is_quote) in [("time,bid0,ask0", true), ("time,bid1,ask1", true), ("time,bid2,ask2", false)]
    {
        assert_eq!(layout(header).is_ok(), is_quote, "{header}");
    }
}

#[test]
fn a_volume_in_the_currency_of_the_prices_is_no_volume() {
    let volume = |name: &str| match layout(&format!("time,close,{name}")).unwrap().values {
        Values::Bars { volume, .. } => volume,
        Values::Ticks { .. } => None,
    };

    assert_eq!(volume("Volume BTC"), Some(2));
    assert_eq!(volume("Volume USD"), None);
}

#[test]
fn a_unix_time_beside_a_date_is_within_a_day_of_it() {
    let columns =
        |unix: &str| layout(&format!("date,unix,close\n2024-01-03,{unix},1")).unwrap().times.columns;

    assert_eq!(columns("1704326400"), TimeColumns::One(1));
    let two = TimeColumns::Two { date: 0, time_of_day: 1, form: TimeOfDayForm::Text };
    assert_eq!(columns("1704412800"), two);
}

#[test]
fn the_exchanges_time_is_preferred_to_the_recorders() {
    assert_eq!(layout("local_timestamp,timestamp,price").unwrap().times.columns, TimeColumns::One(1));
    assert_eq!(layout("local_timestamp,price").unwrap().times.columns, TimeColumns::One(0));
    assert_eq!(layout("ts_recv,ts_event,price").unwrap().times.columns, TimeColumns::One(1));
}

#[test]
fn a_date_and_a_time_of_day_are_one_time() {
    let two = TimeColumns::Two { date: 0, time_of_day: 1, form: TimeOfDayForm::Text };

    assert_eq!(layout("Date,Time,Close\n2024-01-03,09:30,1").unwrap().times.columns, two);
    assert_eq!(
        layout("date,unix,close\n2024-01-03,1704292200,1").unwrap().times.columns,
        TimeColumns::One(1)
    );
    assert_eq!(
        layout("date,time,close\n2024-01-03 09:30,1704292200,1").unwrap().times.columns,
        TimeColumns::One(0)
    );
    assert_eq!(layout("time,close\n2024-01-03,1").unwrap().times.columns, TimeColumns::One(0));
    assert_eq!(layout(",Open,High,Low,Close").unwrap().times.columns, TimeColumns::One(0));
}

#[test]
fn a_first_column_of_times_is_the_time_under_any_name() {
    let yfinance = "Price,Close,High,Low,Open\nTicker,A,A,A,A\nDate,,,,\n2024-01-03,3,4,1,2";

    let found = layout(yfinance).unwrap();

    assert_eq!(found.times.columns, TimeColumns::One(0));
    assert!(matches!(found.values, Values::Bars { open: Some(4), close: 1, .. }), "{found:?}");
}

#[test]
fn rows_behind_a_header_with_prices_are_not_recognized_by_their_shape() {
    let rows = "A,2024-01-03,3,4,1,2\n".repeat(9);

    assert_eq!(
        layout(&format!("What,When,Close,High,Low,Open\n{rows}")).unwrap_err(),
        LayoutError::NoTime(0)
    );
    assert!(matches!(layout(&rows).unwrap().values, Values::Bars { open: Some(2), .. }));
}

#[test]
fn rows_with_only_some_prices_of_a_bar_are_not_bars() {
    let tick = records("34200017,1677.25,3,,0,0\n34200018,1677.5,1,,0,0");

    let found = recognize(&tick, Given { day: Some(7), ..given() }).unwrap();

    assert_eq!(found.layout.name, "lean-ticks");
}

#[test]
fn a_time_of_day_alone_needs_the_day_of_the_path() {
    let text = records("Time,Symbol,Trade Volume,Trade Price\n093000123456789,A,1,2");

    assert_eq!(recognize(&text, given()).unwrap_err(), LayoutError::NoDay);
    let found = recognize(&text, Given { day: Some(7), ..given() }).unwrap();
    assert_eq!(
        found.layout.times.columns,
        TimeColumns::TimeOfDay { time_of_day: 0, form: TimeOfDayForm::Text, day: 7 }
    );
}

#[test]
fn a_time_of_day_is_found_under_any_name() {
    let two = TimeColumns::Two { date: 0, time_of_day: 1, form: TimeOfDayForm::Text };
    assert_eq!(layout("Date,Timestamp,Price\n20240103,09:30:00.5,1").unwrap().times.columns, two);

    let text = records("When,Price\n09:30:00,1");
    assert_eq!(recognize(&text, given()).unwrap_err(), LayoutError::NoDay);
    let found = recognize(&text, Given { day: Some(7), ..given() }).unwrap();
    assert_eq!(
        found.layout.times.columns,
        TimeColumns::TimeOfDay { time_of_day: 0, form: TimeOfDayForm::Text, day: 7 }
    );
}

#[test]
fn trades_and_quotes_can_share_a_file() {
    let found = layout("time,symbol,price,size,bid,bid_size,ask,ask_size").unwrap();

    let ticks = Values::Ticks {
        price: Some(2),
        size: Some(3),
        bid: Some(4),
        bid_size: Some(5),
        ask: Some(6),
        ask_size: Some(7),
    };
    assert_eq!(found.values, ticks);
}

#[test]
fn a_price_beside_open_high_and_low_is_the_close() {
    let found = layout("Date,Price,Open,High,Low").unwrap();

    assert!(matches!(found.values, Values::Bars { close: 1, .. }), "{found:?}");
}

#[test]
fn an_adjusted_close_is_not_the_close() {
    let found = layout("Date,Open,High,Low,Adj Close,Close,Volume").unwrap();

    assert!(matches!(found.values, Values::Bars { close: 5, .. }), "{found:?}");
}

#[test]
fn a_header_without_time_or_price_and_rows_without_a_header_are_different_errors() {
    assert_eq!(layout("symbol,price").unwrap_err(), LayoutError::NoTime(0));
    assert_eq!(layout("time,symbol").unwrap_err(), LayoutError::NoPrice(0));
    assert_eq!(layout("2024-01-03,red,blue").unwrap_err(), LayoutError::NoShape(0));
}

#[test]
fn a_header_may_follow_lines_of_another_kind() {
    let found =
        recognize(&records("https://example.com/\nMy prices\nDate,Close\n2024-01-03,1"), given()).unwrap();

    assert_eq!((found.header, found.first_row), (Some(2), 3));
}

#[test]
fn a_header_is_among_the_first_twenty_lines() {
    let header_behind = |lines: usize| {
        let text = format!("{}Close,Date\n1,2024-01-03", "a,note\n".repeat(lines));
        recognize(&records(&text), given()).map(|found| found.header)
    };

    assert_eq!(header_behind(19).unwrap(), Some(19));
    assert!(header_behind(20).is_err());
}

#[test]
fn a_map_names_columns_by_name_or_number() {
    let map = |pairs: &[(Role, &str)]| {
        Map(pairs.iter().map(|(role, column)| (*role, (*column).to_owned())).collect())
    };
    let by_name = map(&[(Role::Time, "When"), (Role::Price, "What")]);
    let by_number = map(&[(Role::Time, "0+1"), (Role::Price, "2")]);
    let found = |text: &str, map: &Map| recognize(&records(text), Given { map: Some(map), ..given() });

    let named = found("x,what,when\n1,2,2024-01-03", &by_name).unwrap();
    assert_eq!((named.layout.times.columns, named.first_row), (TimeColumns::One(2), 1));
    let numbered = found("2024-01-03,09:30,7", &by_number).unwrap();
    assert_eq!(
        (numbered.layout.times.columns, numbered.first_row),
        (TimeColumns::Two { date: 0, time_of_day: 1, form: TimeOfDayForm::Text }, 0)
    );
    assert_eq!(found("a,b\n1,2", &by_name).unwrap_err(), LayoutError::NoColumn("When".to_owned()));
}

#[test]
fn the_rows_show_decimal_commas_and_the_date_order() {
    let text = "Datum;Schlusskurs\n01.02.2024;1.234,56\n13.02.2024;0,5";
    let cells = |line: &str| line.split(';').map(|cell| cell.as_bytes().to_vec()).collect();
    let text: Vec<Record> = text.lines().map(cells).collect();

    let found = recognize(&text, Given { has_free_comma: true, ..given() }).unwrap();

    assert_eq!(found.layout.numbers.decimal, DecimalSign::Comma);
    assert_eq!(
        (found.date_orders.left, found.layout.times.date_order),
        (vec![DateOrder::Dmy], DateOrder::Dmy)
    );
    let open = recognize(&records("date,close\n01/02/2024,5"), given()).unwrap();
    assert_eq!(open.date_orders.left, [DateOrder::Mdy, DateOrder::Dmy]);
}

#[test]
fn dates_with_two_digit_years_have_the_order_with_the_closest_dates() {
    let order = |dates: [&str; 3]| {
        let text = format!("date,close\n{},5\n{},5\n{},5", dates[0], dates[1], dates[2]);
        layout(&text).unwrap().times.date_order
    };

    assert_eq!(order(["24-01-29", "24-01-30", "24-01-31"]), DateOrder::Ymd);
    assert_eq!(order(["13/01/24", "15/01/24", "16/01/24"]), DateOrder::Dmy);
    assert_eq!(order(["02/01/24", "03/01/24", "16/01/24"]), DateOrder::Dmy);
    assert_eq!(order(["01/12/24", "01/13/24", "01/16/24"]), DateOrder::Mdy);
    assert_eq!(order(["2024-01-12", "2024-01-13", "2024-01-16"]), DateOrder::Ymd);
}

#[test]
fn changes_of_an_order_book_are_refused_by_name() {
    let header = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount";

    assert!(matches!(layout(header).unwrap_err(), LayoutError::Unfit("tardis-book-changes", _)));
}

#[test]
fn the_table_is_well_formed() {
    for entry in LAYOUTS {
        assert!(entry.is_of("") || !entry.path.is_empty(), "{}", entry.name);
        let columns = match entry.recognized_by {
            RecognizedBy::Header(described) => {
                let names = header::columns(described).flat_map(HeaderColumn::names);
                let names: Vec<String> = names.map(str::to_owned).collect();
                assert!(names.iter().all(|name| normal(name.as_bytes()) == *name), "{described}");
                Columns::of_header(&names, Some(entry))
            }
            RecognizedBy::Shape(shape) => Columns::of_shape(shape),
        };
        // Some entries leave the values to the usual names, or are of files that cannot be replayed.
        let has_no_values = ["databento", "fred"].contains(&entry.name) || entry.rules.unfit.is_some();
        assert!(columns.values().is_some() || has_no_values, "{}", entry.name);
    }
}

/// Returns whether a column of times of receipt is said not to be used. Each row has a time and, so many seconds later,
/// a time of receipt.
fn is_second_time_told(rows: [(i64, i64); 2]) -> bool {
    is_time_told_beside("Z", rows)
}

/// Does the same as [`is_second_time_told`], with times whose zone is written like this.
fn is_time_told_beside(zone: &str, rows: [(i64, i64); 2]) -> bool {
    let second =
        |time: i64| format!("2024-01-{:02}T00:{:02}:{:02}", 3 + time / 86_400, time % 3600 / 60, time % 60);
    let lines = rows.map(|(time, after)| format!("{}{zone},{}Z,1", second(time), second(time + after)));
    let all = records(&format!("time,seen,price\n{}", lines.join("\n")));
    let layout = recognize(&all, given()).unwrap().layout;
    other_times::assumed(&all[0], &all[1..], &layout).is_some()
}

#[test]
fn other_times_are_told_if_they_are_within_a_day() {
    assert!(is_second_time_told([(0, 1), (60, 86_400)]));
    assert!(!is_second_time_told([(0, 1), (60, 86_401)]));
}

#[test]
fn times_in_another_zone_are_no_other_times() {
    assert!(!is_time_told_beside("", [(0, 900), (60, 900)]));
    assert!(is_time_told_beside("", [(0, 899), (60, 899)]));
    assert!(is_time_told_beside("", [(0, 300), (60, 300)]));
}

#[test]
fn the_time_of_trades_is_told_although_its_name_is_usual() {
    let all = records("timestamp,transact_time,price\n2024-01-03T14:30:05Z,2024-01-03T14:30:00Z,1");
    let layout = recognize(&all, given()).unwrap().layout;

    assert!(other_times::assumed(&all[0], &all[1..], &layout).is_some());
}

#[test]
fn of_two_times_in_utc_the_one_that_is_not_read_is_told() {
    assert!(is_second_time_told([(0, 900), (60, 900)]));
    assert!(!is_second_time_told([(0, 0), (60, 0)]));
}

#[test]
fn other_days_are_no_other_times() {
    assert!(!is_second_time_told([(0, 0), (86_400, 86_400)]));
}

#[test]
fn a_column_that_counts_again_and_again_beside_quotes_has_the_levels_of_a_book() {
    let are_levels = |numbers: &[u32]| {
        let rows: Vec<String> = numbers.iter().map(|number| format!("1704292200,{number},5,6")).collect();
        layout(&format!("time,n,bid,ask\n{}", rows.join("\n"))).is_err()
    };

    assert!(are_levels(&[0, 1, 0, 1, 0]));
    assert!(are_levels(&[1, 2, 3, 1, 2, 3, 1]));
    assert!(!are_levels(&[0, 1, 0, 1]));
    assert!(!are_levels(&[2, 3, 2, 3, 2]));
    assert!(!are_levels(&[0, 0, 0, 0, 0]));
    assert!(!are_levels(&[0, 1, 0, 1, 1]));
}

#[test]
fn a_level_of_a_book_has_at_most_three_digits() {
    let rows =
        |level: &str| layout(&format!("time,side,level,price\n1704292200,bid,1,5\n1704292200,bid,{level},4"));

    assert_eq!(rows("999").unwrap_err(), LayoutError::Unfit("a table", "levels of an order book, one a row"));
    assert!(rows("1000").is_ok());
}
