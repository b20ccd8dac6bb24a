//! Zip archives that lie, and pickles that ask for more than tensors: each gives an error with its place.

#![allow(clippy::expect_used, clippy::panic, reason = "helpers of tests")]

use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokenbed_core::{DType, Error};
use tokenbed_io::{npz, torch};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/golden/pretrained").join(name)
}

fn written(folder: &TempDir, content: &[u8]) -> PathBuf {
    let path = folder.path().join("x.pt");
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, content).expect("a file can be written");
    path
}

/// The names, types and shapes of an archive's tensors, read and mapped.
fn load(content: &[u8]) -> Result<Vec<(String, DType, Vec<usize>)>, Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = written(&folder, content);
    let [read, mapped] = [false, true].map(|map| {
        let torch::Tensors { parts, names } = torch::open(&path, Some(map))?.readable()?;
        Ok::<_, Error>(
            names.into_iter().map(|(name, shape, part)| (name, parts[part].dtype, shape)).collect::<Vec<_>>(),
        )
    });
    match (read, mapped) {
        (Ok(read), Ok(mapped)) => {
            assert_eq!(read, mapped);
            Ok(read)
        }
        (Err(read), Err(mapped)) => {
            assert_eq!(read.to_string(), mapped.to_string());
            Err(read)
        }
        other => panic!("{other:?}"),
    }
}

/// The place and message of the format error.
#[track_caller]
fn wrong(content: &[u8]) -> (usize, String) {
    match load(content) {
        Err(Error::Format { offset, message, .. }) => {
            assert!(offset as usize <= content.len(), "{offset}: {message}");
            (offset as usize, message)
        }
        other => panic!("{other:?}"),
    }
}

#[derive(Clone)]
struct Entry {
    name: String,
    data: Vec<u8>,
    /// What the directory says instead of the truth: the size, and where the entry begins.
    size: Option<u32>,
    at: Option<u32>,
    method: u16,
    flags: u16,
}

fn entry(name: &str, data: &[u8]) -> Entry {
    Entry { name: name.into(), data: data.into(), size: None, at: None, method: 0, flags: 0 }
}

/// An archive of entries that are stored as they are.
fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut content, mut directory) = (Vec::new(), Vec::new());
    for Entry { name, data, size, at, method, flags } in entries {
        let mut crc = u32::MAX;
        for &byte in data {
            crc ^= u32::from(byte);
            (0..8).for_each(|_| crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()));
        }
        let size = size.unwrap_or(data.len() as u32);
        let [flags, method, len] = [*flags, *method, name.len() as u16].map(u16::to_le_bytes);
        let size = size.to_le_bytes();
        let fields =
            [&[20, 0][..], &flags, &method, &[0; 4], &(!crc).to_le_bytes(), &size, &size, &len, &[0; 2]].concat();
        let at = at.unwrap_or(content.len() as u32);
        content.extend([&b"PK\x03\x04"[..], &fields, name.as_bytes(), data].concat());
        directory.extend([&b"PK\x01\x02\x14\x00"[..], &fields, &[0; 10], &at.to_le_bytes(), name.as_bytes()].concat());
    }
    let end = end(entries.len() as u16, directory.len() as u32, content.len() as u32);
    [content, directory, end].concat()
}

fn end(count: u16, len: u32, at: u32) -> Vec<u8> {
    let count = count.to_le_bytes();
    [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &len.to_le_bytes(), &at.to_le_bytes(), &[0; 2]].concat()
}

/// An archive of a pickle and two storages: six floats and four of another type.
fn archive(pickle: &[u8]) -> Vec<u8> {
    zip(&parts(pickle))
}

fn parts(pickle: &[u8]) -> Vec<Entry> {
    let floats: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
    vec![
        entry("x/data.pkl", pickle),
        entry("x/data/0", &floats),
        entry("x/data/1", &[3; 32]),
        entry("x/version", b"3\n"),
    ]
}

fn text(text: &str) -> Vec<u8> {
    [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

fn number(number: i32) -> Vec<u8> {
    [&b"J"[..], &number.to_le_bytes()].concat()
}

fn tuple(items: &[Vec<u8>]) -> Vec<u8> {
    [b"(", &items.concat()[..], b"t"].concat()
}

/// A storage of `len` elements under a key.
fn storage(class: &str, key: &str, len: i32) -> Vec<u8> {
    let class = format!("ctorch\n{class}\n").into_bytes();
    [tuple(&[text("storage"), class, text(key), text("cpu"), number(len)]), b"Q".to_vec()].concat()
}

/// A tensor of a storage.
fn tensor(storage: Vec<u8>, offset: i32, shape: &[i32], strides: &[i32]) -> Vec<u8> {
    let sizes = |sizes: &[i32]| tuple(&sizes.iter().map(|&size| number(size)).collect::<Vec<_>>());
    let arguments = tuple(&[storage, number(offset), sizes(shape), sizes(strides), b"\x89".to_vec(), b"N".to_vec()]);
    [&b"ctorch._utils\n_rebuild_tensor_v2\n"[..], &arguments, b"R"].concat()
}

/// A pickle of a dictionary.
fn dictionary(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = entries.iter().flat_map(|(key, value)| [text(key), value.clone()].concat()).collect();
    [b"\x80\x02}(", &items[..], b"u."].concat()
}

fn floats(offset: i32, shape: &[i32], strides: &[i32]) -> Vec<u8> {
    archive(&dictionary(&[("w", tensor(storage("FloatStorage", "0", 6), offset, shape, strides))]))
}

#[test]
fn a_good_archive_is_read() {
    let loaded = load(&floats(0, &[2, 3], &[3, 1])).expect("a good file");
    assert_eq!(loaded, [("w".to_string(), DType::Float32, vec![2, 3])]);
    let short = tensor(storage("ShortStorage", "1", 16), 1, &[3], &[5]);
    assert_eq!(load(&archive(&dictionary(&[("s", short)]))).expect("a good file")[0].1, DType::Int32);
}

#[test]
fn an_archive_cut_short_or_longer_is_an_error() {
    let content = floats(0, &[2, 3], &[3, 1]);
    for len in 0..content.len() {
        wrong(&content[..len]);
    }
    for more in [1, 22, 1000] {
        wrong(&[&content[..], &vec![0; more]].concat());
        wrong(&[&vec![0; more], &content[..]].concat());
    }
}

#[test]
fn tensors_beyond_their_storage_are_errors() {
    let bad: [(i32, &[i32], &[i32]); 10] = [
        (1, &[2, 3], &[3, 1]),
        (0, &[7], &[1]),
        (0, &[2, 3], &[4, 1]),
        (6, &[1], &[1]),
        (-1, &[1], &[1]),
        (0, &[-1], &[1]),
        (0, &[2], &[-1]),
        (0, &[2], &[1, 1]),
        (0, &[i32::MAX, i32::MAX, i32::MAX], &[i32::MAX, i32::MAX, 1]),
        (0, &[i32::MAX, i32::MAX, i32::MAX], &[0, 0, 0]),
    ];
    for (offset, shape, strides) in bad {
        wrong(&floats(offset, shape, strides));
    }
    // No elements are nowhere.
    assert_eq!(load(&floats(6, &[0, 5], &[5, 1])).expect("a good file")[0].2, [0, 5]);
    assert!(wrong(&floats(0, &[6, 6], &[1, 0])).1.contains("repeats"));
    assert!(
        wrong(&archive(&dictionary(&[("w", tensor(storage("FloatStorage", "0", 7), 0, &[7], &[1]))]))).1.contains("24")
    );
    assert!(
        wrong(&archive(&dictionary(&[("w", tensor(storage("FloatStorage", "2", 1), 0, &[1], &[1]))])))
            .1
            .contains("not in the archive")
    );
    wrong(&archive(&dictionary(&[("w", tensor(storage("FloatStorage", "../version", 0), 0, &[0], &[1]))])));
}

#[test]
fn names_that_tensors_do_not_need_are_refused_with_their_place() {
    for (module, name) in [
        ("os", "system"),
        ("builtins", "eval"),
        ("__builtin__", "getattr"),
        ("torch", "load"),
        ("torch", "_utils._rebuild_tensor_v2"),
        ("torch.hub", "load"),
        ("collections", "OrderedDict.fromkeys"),
        ("", ""),
        ("collections\0", "OrderedDict"),
    ] {
        let before = b"\x80\x02}".to_vec();
        for (ask, back) in [
            (format!("c{module}\n{name}\n").into_bytes(), 0),
            ([text(module), text(name), b"\x93".to_vec()].concat(), 1),
        ] {
            let pickle = [&before[..], &ask, b")R."].concat();
            let content = archive(&pickle);
            let (offset, message) = wrong(&content);
            assert!(message.contains(&format!("asks for {module}.{name}")), "{message}");
            let start = 30 + "x/data.pkl".len() + before.len();
            assert_eq!(offset, start + if back == 0 { 0 } else { ask.len() - 1 });
        }
    }
    let long = "x".repeat(100_000);
    assert!(wrong(&archive(format!("\u{80}\x02c{long}\n{long}\n.").replace('\u{80}', "").as_bytes())).1.len() < 1000);
}

#[test]
fn opcodes_that_make_objects_are_refused() {
    for opcode in [
        b"i".to_vec(),
        b"o".to_vec(),
        vec![0x81],
        vec![0x92],
        vec![0x82, 1],
        b"P".to_vec(),
        b"I1\n".to_vec(),
        vec![0x97],
        vec![0],
    ] {
        let (offset, message) = wrong(&archive(&[&b"\x80\x02}"[..], &opcode, b"."].concat()));
        assert!(message.contains("nothing of it is run"), "{message}");
        assert_eq!(offset, 30 + "x/data.pkl".len() + 3);
    }
    assert!(wrong(&archive(b"\x80\x06.")).1.contains("protocol 6"));
}

#[test]
fn pickles_that_do_not_hold_together_are_errors() {
    for pickle in [
        &b""[..],
        b"\x80",
        b"\x80\x02",
        b".",
        b"}",
        b"0.",
        b"t.",
        b"\x85.",
        b"s.",
        b"}s.",
        b"}(Nu.",
        b"h\0.",
        b"j\0\0\0\0.",
        b"q\0.",
        b"R.",
        b"NR.",
        b"NNR.",
        b")NR.",
        b"b.",
        b"Nb.",
        b"]Nb.",
        b"Q.",
        b"NQ.",
        b")Q.",
        b"a.",
        b"NNa.",
        b"X\xff\xff\xff\xff.",
        b"X\x01\0\0\0\xff.",
        b"\x8a\xff.",
        b"\x8b\xff\xff\xff\xff.",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
        b"\x95\0.",
        b"cx",
        b"cx\ny",
        b"\x93.",
        b"NN\x93.",
        b"(.",
        b"1.",
        b"ccollections\nOrderedDict\n(NtR.",
        b"ctorch\nFloatStorage\n)R.",
        b"ctorch._utils\n_rebuild_tensor_v2\n)R.",
        b"ctorch._utils\n_rebuild_parameter\n(NNNtR.",
        b"ctorch._utils\n_rebuild_tensor_v2\n(NNNNtR.",
    ] {
        wrong(&archive(pickle));
    }
    // What has no tensors is read, whatever else is in it.
    for pickle in
        [&b"N."[..], b"].", b"}.", b"(N\x88G\0\0\0\0\0\0\0\0\x8a\x09\x01\x02\x03\x04\x05\x06\x07\x08\x09C\x01at."]
    {
        assert_eq!(load(&archive(pickle)).expect("a good file"), []);
    }
}

#[test]
fn values_in_many_places_cost_no_more_than_their_pickle() {
    // A list in itself; lists in each other; each list twice in the next, which are 2^60 places.
    assert!(wrong(&archive(b"\x80\x02]q\0h\0a.")).1.contains("holds itself"));
    let deep = [&b"\x80\x02"[..], &[b']'; 5000], &[b'a'; 4999], b"."].concat();
    assert!(wrong(&archive(&deep)).1.contains("deep"));
    let mut doubling = b"\x80\x02]q\0".to_vec();
    for i in 0..60 {
        doubling.extend([b']', b'(', b'h', i, b'h', i, b'e', b'q', i + 1]);
    }
    doubling.push(b'.');
    assert!(wrong(&archive(&doubling)).1.contains("more places"));
    // One tensor under one name of a kilobyte, many times in a list: names take more room than the pickle.
    let key = "k".repeat(10_000);
    let one = tensor(storage("FloatStorage", "0", 6), 0, &[6], &[1]);
    let inner = [&b"}q\0("[..], &text(&key), &one, b"u"].concat();
    let many = [&b"\x80\x02]("[..], &inner, &b"h\0".repeat(5000), b"e."].concat();
    assert!(wrong(&archive(&many)).1.contains("more room"));
}

#[test]
fn two_tensors_of_one_name_are_an_error() {
    let one = || tensor(storage("FloatStorage", "0", 6), 0, &[6], &[1]);
    assert!(wrong(&archive(&dictionary(&[("w", one()), ("w", one())]))).1.contains("two tensors"));
    let nested = [&b"}("[..], &text("b"), &one(), b"u"].concat();
    assert!(wrong(&archive(&dictionary(&[("a.b", one()), ("a", nested)]))).1.contains("\"a.b\""));
}

#[test]
fn tensors_that_overlap_do_not_multiply_a_file() {
    let content: Vec<u8> = vec![0; 4000];
    let of = |offset: i32| tensor(storage("FloatStorage", "0", 1000), offset, &[1000 - offset], &[1]);
    let names: Vec<String> = (0..200).map(|i| i.to_string()).collect();
    let tensors: Vec<_> = names.iter().enumerate().map(|(i, name)| (&**name, of(i as i32))).collect();
    let zip = |data: &[u8], mut pickle: Vec<u8>| {
        // What follows the end of the pickle aligns the elements, so that they can be mapped.
        let before = 30 + "x/data.pkl".len() + pickle.len() + 30 + "x/data/0".len();
        pickle.extend(vec![0; before.next_multiple_of(4) - before]);
        zip(&[entry("x/data.pkl", &pickle), entry("x/data/0", data)])
    };
    // The pickle is as long as what it describes here, so that everything fits; a longer storage does not.
    assert_eq!(load(&zip(&content, dictionary(&tensors[..8]))).expect("a good file").len(), 8);
    let folder = tempfile::tempdir().expect("a folder");
    let long: Vec<u8> = vec![0; 400_000];
    let of = |offset: i32| tensor(storage("FloatStorage", "0", 100_000), offset, &[100_000 - offset], &[1]);
    let tensors: Vec<_> = names.iter().enumerate().map(|(i, name)| (&**name, of(i as i32))).collect();
    let path = written(&folder, &zip(&long, dictionary(&tensors)));
    match torch::open(&path, Some(false)).and_then(torch::Opened::readable) {
        Err(Error::Format { message, .. }) => assert!(message.contains("many times"), "{message}"),
        other => panic!("{:?}", other.map(|tensors| tensors.names.len())),
    }
    // Parts of a mapping take no memory.
    assert_eq!(torch::open(&path, Some(true)).and_then(torch::Opened::readable).expect("a good file").names.len(), 200);
}

#[test]
fn directories_that_lie_are_errors() {
    let pickle = dictionary(&[]);
    let good = parts(&pickle);
    let change = |which: usize, change: &dyn Fn(&mut Entry)| {
        let mut entries = good.clone();
        change(&mut entries[which]);
        wrong(&zip(&entries)).1
    };
    assert_eq!(load(&zip(&good)).expect("a good file"), []);
    assert!(change(0, &|one| one.size = Some(1000)).contains("reaches into"));
    assert!(change(0, &|one| one.size = Some(u32::MAX)).contains("64 bits"));
    assert!(change(0, &|one| one.at = Some(1)).contains("reaches into"));
    // A byte between two entries, where the second is said to begin.
    let mut entries = good.clone();
    let floats = dictionary(&[("w", tensor(storage("FloatStorage", "0", 6), 0, &[6], &[1]))]);
    entries[0].data = [&floats[..], &[0]].concat();
    entries[0].size = Some(floats.len() as u32);
    entries[1].at = Some((30 + "x/data.pkl".len() + floats.len()) as u32);
    assert!(wrong(&zip(&entries)).1.contains("header is not where"));
    assert!(change(0, &|one| one.at = Some(u32::MAX - 1)).contains("outside"));
    assert!(change(3, &|one| one.at = Some(0)).contains("reaches into"));
    assert!(change(1, &|one| one.name = "x/data.pkl".into()).contains("two entries"));
    assert!(change(0, &|one| one.flags = 1).contains("encrypted"));
    assert!(change(0, &|one| one.method = 12).contains("bzip2"));
    assert!(change(0, &|one| one.method = 8).contains("compressed data"));
    let whole = zip(&good);
    let at = whole.len() - 22;
    let with = |count, len, start| [&whole[..at], &end(count, len, start)].concat();
    let (len, start) = (
        u32::from_le_bytes(whole[at + 12..at + 16].try_into().expect("four bytes")),
        u32::from_le_bytes(whole[at + 16..at + 20].try_into().expect("four bytes")),
    );
    for (count, len, start) in [
        (3, len, start),
        (5, len, start),
        (u16::MAX, len, start),
        (4, len + 1, start),
        (4, len, start + 1),
        (4, len - 1, start + 1),
        (4, u32::MAX, u32::MAX),
        (0, 0, len + start),
    ] {
        wrong(&with(count, len, start));
    }
}

#[test]
fn arrays_of_the_same_bytes_are_errors() {
    // Two entries over one array, as a bomb of many would be.
    let content = std::fs::read(golden("npz/ours.npz")).expect("it is there");
    let folder = tempfile::tempdir().expect("a folder");
    let central: Vec<_> = (0..content.len() - 4).filter(|&at| content[at..].starts_with(b"PK\x01\x02")).collect();
    let mut same = content.clone();
    let first = same[central[0] + 42..central[0] + 46].to_vec();
    same[central[1] + 42..central[1] + 46].copy_from_slice(&first);
    let found = npz::load(&written(&folder, &same), None, 200);
    assert!(matches!(&found, Err(Error::Format { message, .. }) if message.contains("reaches into")), "{found:?}");
}
