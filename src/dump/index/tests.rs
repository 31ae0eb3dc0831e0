//! Indices beside shards on a disk.

use super::*;

const HEADER: &str = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
    "n":{"dtype":"I64","shape":[],"data_offsets":[4,12]}}"#;

/// A folder with one shard, `s.safetensors`, of the tensor 'a' and the counter 'n', and an index of this text.
fn folder(index: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let shard = [&(HEADER.len() as u64).to_le_bytes(), HEADER.as_bytes(), &[0; 12]].concat();
    std::fs::write(folder.path().join("s.safetensors"), shard).unwrap();
    std::fs::write(folder.path().join("i.json"), index).unwrap();
    folder
}

#[test]
fn shards_stand_beside_their_index() {
    let folder =
        folder(r#"{"metadata":{"total_size":12},"weight_map":{"a":"s.safetensors","n":"s.safetensors"}}"#);
    let found = index_files(&folder.path().join("i.json"), &Options::default()).unwrap();
    assert_eq!(found, [folder.path().join("s.safetensors")]);
}

#[test]
fn a_broken_promise_is_refused() {
    let folder = folder(r#"{"weight_map":{"a":"s.safetensors","b":"s.safetensors"}}"#);
    let refusal = index_files(&folder.path().join("i.json"), &Options::default()).unwrap_err().to_string();
    let lacking = "s.safetensors', tensor 'b': the shard must hold every tensor that '";
    assert!(refusal.contains(lacking) && refusal.contains("promises of it; it lacks this one."), "{refusal}");
}

#[test]
fn a_shard_that_is_not_there_is_refused_by_its_name() {
    let folder = folder(r#"{"weight_map":{"a":"t.safetensors"}}"#);
    let refusal = index_files(&folder.path().join("i.json"), &Options::default()).unwrap_err().to_string();
    assert!(refusal.contains("t.safetensors': the file must be there and readable;"), "{refusal}");
}

#[test]
fn no_shard_leads_out_of_the_folder() {
    for shard in
        ["../s", "/etc/s", "a/s", "s/", "./s", ".", "..", "", "a\\\\s", "C:s", "s\\u0000", "\\u001b[2J"]
    {
        let text = format!(r#"{{"weight_map":{{"a":"{shard}"}}}}"#);
        let refusal = read(&text, "i.json").unwrap_err().to_string();
        let words = "'i.json', tensor 'a': its shard must be the name of a file beside the index, without a \
         path; got '";
        assert!(refusal.starts_with(words), "{refusal}");
    }
}

#[test]
fn other_json_is_refused() {
    let refusal = read(r#"{"weights":{}}"#, "i.json").unwrap_err().to_string();
    assert!(
        refusal.starts_with(
            "'i.json', byte 13: an index must have an object 'weight_map' from tensors to files;"
        ),
        "{refusal}"
    );
    let twice = read(r#"{"weight_map":{"a":"s","a":"t"}}"#, "i.json").unwrap_err().to_string();
    assert!(twice.starts_with("'i.json', tensor 'a': a name must occur once;"), "{twice}");
}
