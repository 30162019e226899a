//! A list that is usually empty: then it is one pointer, and uses no memory.

use std::ops::{Deref, DerefMut};

pub(crate) struct ThinVec<T>(Option<Box<Items<T>>>);

struct Items<T>(Vec<T>);

impl<T> ThinVec<T> {
    pub(crate) fn push(&mut self, item: T) {
        let items = self.0.get_or_insert_with(|| Box::new(Items(Vec::new())));
        items.0.push(item);
    }

    /// Keeps those for which `f` is true.
    pub(crate) fn retain(&mut self, f: impl FnMut(&T) -> bool) {
        if let Some(items) = &mut self.0 {
            items.0.retain(f);
        }
    }

    /// Takes out all of them.
    pub(crate) fn take(&mut self) -> Vec<T> {
        self.0.take().map_or_else(Vec::new, |items| items.0)
    }
}

impl<T> Default for ThinVec<T> {
    fn default() -> Self {
        ThinVec(None)
    }
}

impl<T> Deref for ThinVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        self.0.as_ref().map_or(&[], |items| &items.0)
    }
}

impl<T> DerefMut for ThinVec<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        self.0.as_mut().map_or(&mut [], |items| &mut items.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_kept_of_what_is_taken_out() {
        let mut list = ThinVec::default();
        list.push(1);
        list.push(2);
        list.push(3);
        list[0] = 4;
        assert_eq!((list.take(), list.0.is_none()), (vec![4, 2, 3], true));
        assert!(list.take().is_empty());
        list.push(5);
        assert_eq!(*list, [5]);
        list.retain(|_| false);
        assert!(list.is_empty());
    }
}
