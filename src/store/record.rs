//! The replicated record: one object whose fields are stored one by one, each under its name.

use super::answer::{Answer, Content};
use super::collections::CollectionRef;
use super::command::{RecordCommand, RecordQuery};
use super::keyed::Entries;

/// Reads a record. One that no command has named reads as one without fields.
pub(super) fn query(record: Option<CollectionRef<'_>>, query: &RecordQuery) -> Answer {
    let RecordQuery::Get(fields) = query;
    let found = fields.iter().filter_map(|field| record.and_then(|record| record.get(field)));
    let found = found.map(|slot| (slot.key.clone(), slot.value.clone()));
    Answer(Content::Entries(found.collect()))
}

/// Runs a command on a record.
pub(super) fn execute(record: &mut Entries<'_>, command: RecordCommand) -> Answer {
    Answer(match command {
        RecordCommand::Set { field, value } => {
            Content::Entries(record.set([(field, value)].into()))
        }
        RecordCommand::Insert(fields) => Content::Entries(record.insert(fields)),
        // All are compared before any is changed, in one command.
        RecordCommand::UpdateIf { fields, expected } => {
            let holds = expected.iter().all(|(field, value)| record.holds(field, value));
            if holds {
                record.set(fields);
            }
            Content::Flag(holds)
        }
        RecordCommand::Delete { field } => Content::Flag(!record.remove(&[field]).is_empty()),
        RecordCommand::Clear => Content::Count(record.clear()),
    })
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec;
    use alloc::vec::Vec;

    use super::super::collections::{CollectionMut, Collections};
    use super::super::kind::CollectionKind;
    use super::super::name::Name;
    use super::*;
    use crate::bytes::Bytes;
    use crate::types::Index;

    fn bytes(text: &str) -> Bytes {
        text.as_bytes().into()
    }

    fn pairs(fields: &[(&str, &str)]) -> Vec<(Bytes, Bytes)> {
        fields.iter().map(|(field, value)| (bytes(field), bytes(value))).collect()
    }

    /// Runs a command on the record "r".
    fn run(records: &mut Collections, index: u64, command: RecordCommand) -> (String, String) {
        let name = Name::new("r").expect("short");
        let edit = |collection: CollectionMut<'_>| {
            let index = Index::new(index);
            let mut entries = Entries { collection, index, changes: Vec::new() };
            (execute(&mut entries, command), entries.changes)
        };
        let (answer, changes) = records.edit(&name, CollectionKind::Record, edit).expect("new");
        records.check();
        let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
        (answer.to_string(), changes.join("; "))
    }

    fn content(records: &Collections) -> String {
        let slots = records.get("r").into_iter().flat_map(CollectionRef::slots);
        let fields = slots.map(|slot| slot.key.clone()).collect();
        query(records.get("r"), &RecordQuery::Get(fields)).to_string()
    }

    #[test]
    fn each_operation_answers_and_reports_what_it_did() {
        use RecordCommand::{Clear, Delete, Insert};

        let set = |field, value| RecordCommand::Set { field: bytes(field), value: bytes(value) };
        let update_if = |fields: &[(&str, &str)], expected: &[(&str, &str)]| {
            RecordCommand::UpdateIf { fields: pairs(fields), expected: pairs(expected) }
        };
        let delete = |field| Delete { field: bytes(field) };
        // Command, answer, changes, what the record then holds.
        #[rustfmt::skip]
        let script = [
            (delete("age"), "false", "", "{}"),
            (set("age", "0"), "{}", r#"insert "age" = "0""#, r#"{"age" = "0"}"#),
            (set("age", "0"), r#"{"age" = "0"}"#, r#"update "age" = "0", was "0""#, r#"{"age" = "0"}"#),
            (Insert(pairs(&[("age", "1"), ("name", "")])), r#"{"age" = "0"}"#, r#"insert "name" = """#, r#"{"age" = "0", "name" = ""}"#),
            (update_if(&[("age", "2")], &[("age", "1")]), "false", "", r#"{"age" = "0", "name" = ""}"#),
            (update_if(&[("age", "2")], &[("age", "0")]), "true", r#"update "age" = "2", was "0""#, r#"{"age" = "2", "name" = ""}"#),
            (update_if(&[("age", "3"), ("name", "a")], &[("age", "2"), ("name", "b")]), "false", "", r#"{"age" = "2", "name" = ""}"#),
            (update_if(&[("age", "3"), ("town", "a")], &[("age", "2"), ("name", "")]), "true", r#"update "age" = "3", was "2"; insert "town" = "a""#, r#"{"age" = "3", "name" = "", "town" = "a"}"#),
            (update_if(&[("age", "4")], &[("none", "")]), "false", "", r#"{"age" = "3", "name" = "", "town" = "a"}"#),
            (update_if(&[], &[]), "true", "", r#"{"age" = "3", "name" = "", "town" = "a"}"#),
            (delete("name"), "true", r#"remove "name", was """#, r#"{"age" = "3", "town" = "a"}"#),
            (Clear, "2", "clear", "{}"),
            (Clear, "0", "", "{}"),
            (Insert(vec![]), "{}", "", "{}"),
        ];
        let mut records = Collections::new();
        for (index, (command, answer, changes, holds)) in (1..).zip(script) {
            let shown = alloc::format!("{index}: {command:?}");
            let (was_answered, was_changed) = run(&mut records, index, command);
            assert_eq!((&*was_answered, &*was_changed), (answer, changes), "{shown}");
            assert_eq!(content(&records), holds, "{shown}");
        }
    }
}
