//! The copier of a model's image, as an init container runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

fn copy(arguments: &[&Path]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_copy")).args(arguments).output().expect("started");
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[test]
fn files_are_copied_and_what_another_try_would_not_mend_has_its_own_exit_code() {
    let place = tempfile::tempdir().expect("a folder");
    let path = |name: &str| place.path().join(name);
    for folder in ["from", "from/1_Pooling", "from/none", "from/brands/acme", "to", "empty"] {
        fs::create_dir_all(path(folder)).expect("made");
    }
    fs::write(path("from/brands/acme/adapter_config.json"), "{}").expect("written");
    fs::write(path("from/config.json"), "{}").expect("written");
    fs::write(path("from/1_Pooling/config.json"), "[]").expect("written");
    std::os::unix::fs::symlink(path("from"), path("from/again")).expect("linked");
    assert_eq!(copy(&[&path("from"), &path("to")]), (Some(0), String::new()));
    assert_eq!(fs::read(path("to/config.json")).expect("copied"), b"{}");
    assert_eq!(fs::read(path("to/1_Pooling/config.json")).expect("copied"), b"[]");
    assert_eq!(fs::read(path("to/brands/acme/adapter_config.json")).expect("copied"), b"{}");
    assert!(!path("to/none").exists() && !path("to/again").exists());

    let check = |arguments: &[&Path], code: i32, says: &str| {
        let (ended, said) = copy(arguments);
        assert!(ended == Some(code) && said.contains(says), "{ended:?}: {said}");
    };
    check(&[&path("from")], 2, "write: copy FROM TO");
    check(&[&path("nowhere"), &path("to")], 2, "broadside model pack");
    check(&[&path("empty"), &path("to")], 2, "it holds no file");
    check(&[&path("from"), &path("nowhere")], 1, "is there room in the volume?");
}
