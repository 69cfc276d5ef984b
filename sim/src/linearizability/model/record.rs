//! The reference: what a record does when one operation happens after another.

use super::entries::{Entries, found, pairs};
use super::{Answered, EntryChange};
use crate::history::RecordOperation;

/// Runs one operation; tells each change it makes, in order.
pub(super) fn apply<'a>(
    record: &mut Entries<'a>,
    operation: &'a RecordOperation,
    changed: &mut impl FnMut(EntryChange<'a>),
) -> Answered<'a> {
    match operation {
        RecordOperation::Set { field, value } => {
            Answered::Value(record.write(field, value, changed))
        }
        RecordOperation::Insert { field, value } => {
            Answered::Value(record.insert(field, value, changed))
        }
        RecordOperation::UpdateIf { field, value, expected } => {
            let holds = record.holds(field, expected);
            if holds {
                record.write(field, value, changed);
            }
            Answered::Flag(holds)
        }
        RecordOperation::Delete { field } => {
            Answered::Flag(record.remove(field, changed).is_some())
        }
        RecordOperation::Clear => Answered::Count(record.clear(changed)),
        RecordOperation::Read { field } => Answered::Value(record.get(field)),
        RecordOperation::ReadInstance { fields } => {
            Answered::Entries(found(fields, |field| record.get(field)))
        }
        RecordOperation::InsertInstance { entries } => {
            Answered::Entries(pairs(entries, |field, value| record.insert(field, value, changed)))
        }
        RecordOperation::UpdateInstanceIf { entries, expected } => {
            // All are compared before any is set: a field may be in both lists.
            let holds = expected.iter().all(|(field, value)| record.holds(field, value));
            if holds {
                pairs(entries, |field, value| record.write(field, value, changed));
            }
            Answered::Flag(holds)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_follows, table};
    use crate::history::Model;

    #[test]
    fn every_operation_answers_and_changes_as_the_record_promises() {
        let rows = [
            ("read f", "none", ""),
            ("set f 1", "none", "insert \"f\" = \"1\""),
            ("set f 1", "1", "update \"f\" = \"1\", was \"1\""),
            ("insert f 2", "1", ""),
            ("insert g 2", "none", "insert \"g\" = \"2\""),
            ("update_if f 3 2", "false", ""),
            ("update_if f 3 1", "true", "update \"f\" = \"3\", was \"1\""),
            ("update_if z 3 1", "false", ""),
            ("read_instance g z f", "g=2 f=3", ""),
            ("insert_instance f=4 h=5 g=6 h=7", "f=3 g=2 h=5", "insert \"h\" = \"5\""),
            // One of the expected fields differs, or is missing: none is set.
            ("update_instance_if f=8 g=9 if f=3 g=3", "false", ""),
            ("update_instance_if f=8 g=9 if f=3 z=1", "false", ""),
            (
                "update_instance_if f=8 i=9 if f=3 h=5",
                "true",
                "update \"f\" = \"8\", was \"3\"; insert \"i\" = \"9\"",
            ),
            // Nothing is expected of any field.
            ("update_instance_if f=1 if", "true", "update \"f\" = \"1\", was \"8\""),
            ("delete z", "false", ""),
            ("delete i", "true", "remove \"i\", was \"9\""),
            ("read f", "1", ""),
            ("clear", "3", "clear"),
            ("clear", "0", ""),
            ("read_instance f g", "", ""),
        ];
        assert_follows(Model::Record, &table(Model::Record, &rows));
    }
}
