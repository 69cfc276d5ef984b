//! What clients ask of records.

use crate::calls::FIELDS;
use crate::history::RecordOperation;

use super::Drawing;

/// Operations on all fields make each record one partition for the search, which must stay small.
pub(super) const RECORDS: [&str; 3] = ["record1", "record2", "record3"];

impl Drawing<'_> {
    pub(super) fn record_write(&mut self, record: &'static str) -> RecordOperation {
        let field = (*self.dice.pick(&FIELDS)).to_owned();
        let value = self.value(0);
        let expected = self.known.value(record, &field);
        match self.dice.between(0, 99) {
            0..26 => RecordOperation::Set { field, value },
            26..42 => RecordOperation::Insert { field, value },
            42..58 => RecordOperation::UpdateIf { field, value, expected },
            58..72 => RecordOperation::Delete { field },
            72..75 => RecordOperation::Clear,
            75..84 => {
                let names = self.some_fields();
                let entries = (0..).zip(names).map(|(part, name)| (name, self.value(part)));
                RecordOperation::InsertInstance { entries: entries.collect() }
            }
            _ => self.update_of_instance(record),
        }
    }

    pub(super) fn record_read(&mut self) -> RecordOperation {
        if self.dice.chance(600_000) {
            RecordOperation::Read { field: (*self.dice.pick(&FIELDS)).to_owned() }
        } else {
            RecordOperation::ReadInstance { fields: FIELDS.map(str::to_owned).into() }
        }
    }

    /// Expects what was last seen of some fields, and changes some, which need not be the same.
    fn update_of_instance(&mut self, record: &'static str) -> RecordOperation {
        let names = self.some_fields();
        let entries = (0..).zip(names).map(|(part, name)| (name, self.value(part))).collect();
        let expected = self.some_fields().into_iter().map(|name| {
            let value = self.known.value(record, &name);
            (name, value)
        });
        let expected = expected.collect();
        RecordOperation::UpdateInstanceIf { entries, expected }
    }

    /// One field at least, each at most once, in their order.
    fn some_fields(&mut self) -> Vec<String> {
        let (first, count) = (self.dice.between(0, 2), self.dice.between(1, 3));
        let (first, count) = (first as usize, count as usize);
        FIELDS.iter().skip(first).take(count).map(|&name| name.to_owned()).collect()
    }
}
