//! What happens to an outside store behind the group's back.

use crate::store::Store;

impl Store {
    /// Puts an entry in behind the group's back.
    pub(crate) fn put(&mut self, map: &str, key: &str, value: &str) {
        let entry = (key.as_bytes().into(), value.as_bytes().into());
        self.maps.entry(map.to_owned()).or_default().extend([entry]);
    }

    /// Gives the row of a map to another group.
    pub(crate) fn give_away(&mut self, map: &str) {
        let row = self.rows.get_mut(map).expect("the map has a row");
        row.group = hamok::GroupId::new(row.group.get() ^ 1);
    }
}
