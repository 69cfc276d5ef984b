//! The golden scripts: each `scripts/*.script` opens with what it shows, and what comes of its
//! commands is pinned in the `.snap` beside it.
//!
//! After a change that is meant to change them, `INSTA_UPDATE=always cargo test --test scripts`
//! writes them anew; read the difference against the claims before keeping it.

mod support;

use support::Cluster;

#[test]
fn scripts_do_as_they_say() {
    insta::glob!("scripts/*.script", |path| {
        let script = std::fs::read_to_string(path).expect("the script can be read");
        assert!(script.starts_with("# "), "{} opens with its claim", path.display());
        let mut cluster = Cluster::new();
        cluster.play(&script);
        let lines = cluster.transcript().lines().count();
        assert!(lines < 60, "{} takes {lines} lines", path.display());

        let mut settings = insta::Settings::clone_current();
        settings.remove_snapshot_suffix();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_snapshot_path("scripts");
        let name = path.file_stem().expect("a script has a name").to_string_lossy();
        settings.bind(|| insta::assert_snapshot!(name.into_owned(), cluster.transcript()));
    });
}
