use super::*;
use proptest::prelude::*;

fn settings(format: Format) -> Settings {
    Settings { format, field: "text".into(), id: "id".into(), most: 1 << 20, is_inside: false }
}

/// A record that borrows nothing.
fn kept(Record { id, text, line, offset }: Record<'_>) -> Record<'static> {
    Record { id, text: text.map(|text| Cow::Owned(text.into_owned())), line, offset }
}

/// The records of a text that comes in parts of so many bytes.
fn read(format: Format, text: &str, part: usize) -> Result<Vec<Record<'static>>, Unreadable> {
    let mut reader = Records::new(settings(format));
    let mut records = Vec::new();
    let mut give = |record: Record<'_>| records.push(kept(record));
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = part.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        reader.push(&rest[..end], &mut give)?;
        rest = &rest[end..];
    }
    reader.finish(&mut give)?;
    Ok(records)
}

fn texts(records: Vec<Record<'_>>) -> Vec<String> {
    records.into_iter().map(|record| record.text.unwrap().into_owned()).collect()
}

#[test]
fn lines_end_with_either_line_break() {
    for part in [1, 2, 3, 100] {
        let read = read(Format::Lines, "\u{feff}a\r\n\nb\rc\nd", part).unwrap();
        assert_eq!(texts(read), ["a", "", "b\rc", "d"]);
    }
}

#[test]
fn a_byte_order_mark_inside_is_a_character() {
    let mut reader = Records::new(Settings { is_inside: true, ..settings(Format::Lines) });
    let mut records = Vec::new();
    let mut give = |record: Record<'_>| records.push(kept(record));
    reader.push("\u{feff}a\n\u{feff}b", &mut give).unwrap();
    reader.finish(&mut give).unwrap();
    assert_eq!(texts(records), ["\u{feff}a", "\u{feff}b"]);
}

#[test]
fn json_lines_give_fields() {
    let text = r#"{"id": 7, "text": "a\nb", "other": [1, {"text": "no"}]}

{"text": "\u00e9", "id": "x"}
{"text": 5}
{"id": 3}
nonsense
{"text": "1", "text": "2", "id": null}"#;
    for part in [1, 5, 1000] {
        let read = read(Format::JsonLines, text, part).unwrap();
        let ids: Vec<_> = read.iter().map(|record| record.id.clone()).collect();
        let expected = [Some(Id::Number(7.0)), Some(Id::Text("x".into())), None, Some(Id::Number(3.0)), None, None];
        assert_eq!(ids, expected);
        assert_eq!(read.iter().map(|record| record.line).collect::<Vec<_>>(), [1, 3, 4, 5, 6, 7]);
        assert_eq!(read[0].text.as_deref(), Ok("a\nb"));
        assert_eq!(read[1].text.as_deref(), Ok("é"));
        assert_eq!(read[2].text.as_deref(), Err(&"its field \"text\" is a number, and not a string".to_string()));
        assert_eq!(read[3].text.as_deref(), Err(&"it has no field \"text\"".to_string()));
        assert!(read[4].text.as_ref().unwrap_err().starts_with("it is not a JSON object"));
        assert_eq!(read[5].text.as_deref(), Ok("2"));
    }
}

/// Values of every kind, some of which cannot be read, and lines that are made of them.
fn json_line() -> impl Strategy<Value = String> {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let value = prop::sample::select(vec![
        "\"plain\"".to_string(),
        r#""a \n \u00e9 \ud83d\ude00""#.into(),
        r#""\ud800""#.into(),
        "\"\"".into(),
        "7".into(),
        "-7".into(),
        "0.1".into(),
        "18446744073709551616".into(),
        "9007199254740993".into(),
        "1e999".into(),
        "-0".into(),
        "true".into(),
        "null".into(),
        "[1, {\"text\": 2}]".into(),
        "{\"id\": [], \"id\": 1}".into(),
        deep,
        "[1,".into(),
        "\"open".into(),
        "nonsense".into(),
    ]);
    let key = prop::sample::select(vec!["text", "id", "other", r"te\u0078t", ""]);
    let fields = prop::collection::vec((key, value), 0..5);
    (fields, prop::sample::select(vec!["}", "} ", "}}", ""])).prop_map(|(fields, end)| {
        let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        format!("{{{}{end}", fields.join(", "))
    })
}

proptest! {
    #[test]
    fn json_read_at_once_is_that_read_in_two_steps(line in json_line(), is_one in any::<bool>()) {
        let id = if is_one { "text" } else { "id" };
        let settings = Settings { id: id.into(), ..settings(Format::JsonLines) };
        let (id, text) = json::fields_of_raw(&line, &settings);
        prop_assert_eq!(json::fields(&line, &settings), (id, text.map(Cow::Owned)));
    }
}

#[test]
fn tables_have_quotes() {
    let text = "\u{feff}id,text,more\r\n1,\"a, \"\"b\"\"\nc\",x\n2,é\n\n,d,\"y\"\n4\n5,last,";
    for part in [1, 2, 7, 1000] {
        let read = read(Format::Table(b','), text, part).unwrap();
        assert_eq!(read.len(), 5, "{read:?}");
        assert_eq!(read[0].text.as_deref(), Ok("a, \"b\"\nc"));
        assert_eq!(read[0].id, Some(Id::Text("1".into())));
        assert_eq!(read[1].text.as_deref(), Ok("é"));
        assert_eq!((&read[2].id, read[2].text.as_deref()), (&None, Ok("d")));
        assert!(read[3].text.as_ref().unwrap_err().starts_with("it has 1 fields"));
        assert_eq!(read[4].text.as_deref(), Ok("last"));
        assert_eq!(read[1].line, 4);
    }
}

#[test]
fn tables_without_the_field_are_refused() {
    let error = read(Format::Table(b'\t'), "a\tb\n1\t2\n", 100).unwrap_err();
    assert_eq!(error.message, "its first row does not name a field \"text\"; it names: \"a\", \"b\"");
    assert!(read(Format::Table(b','), "", 100).unwrap_err().message.starts_with("it has no row"));
}

#[test]
fn the_whole_text_is_a_record() {
    assert_eq!(texts(read(Format::Whole, "", 1).unwrap()).len(), 0);
    for text in ["\u{feff}a\r\nb\n\n", "one"] {
        for part in [1, 3, 1000] {
            assert_eq!(texts(read(Format::Whole, text, part).unwrap()), [text]);
        }
    }
    let mut reader = Records::new(Settings { most: 3, ..settings(Format::Whole) });
    assert_eq!(reader.push("\n\n\n\n", &mut |_| ()).unwrap_err().offset, 0);
}

#[test]
fn records_have_a_longest_length() {
    for format in [Format::Lines, Format::JsonLines, Format::Table(b',')] {
        let mut reader = Records::new(Settings { most: 10, ..settings(format) });
        let outcome = reader.push("text\n", &mut |_| ()).and_then(|()| reader.push("0123456789ab", &mut |_| ()));
        assert_eq!(outcome.unwrap_err().offset, 5, "{format:?}");
    }
}

proptest! {
    /// The records do not depend on how the text is divided, and the lines are those of the standard library.
    #[test]
    fn parts_do_not_matter(text in "([a-zé,\"\n\r{}:]|\"text\"|text){0,60}", part in 1usize..20) {
        for format in [Format::Lines, Format::JsonLines, Format::Table(b',')] {
            prop_assert_eq!(read(format, &text, part), read(format, &text, 1000));
        }
        let lines: Vec<String> = text.lines().map(str::to_string).collect();
        prop_assert_eq!(texts(read(Format::Lines, &text, part).unwrap()), lines);
    }
}
