//! Values of features that few programs use, such as streams. A page has the code of a
//! feature only if its program uses the feature.
//!
//! Each feature has a static [`Flag`], which is set where a value of the feature is made. If
//! a program does not link that code, nothing ever writes the flag. So the optimizer of a
//! whole program removes everything behind it, the destructor among it.

use std::fmt;
use std::mem::ManuallyDrop;

use super::maybe_send::Flag;

/// A type of which only some programs make values.
#[doc(hidden)]
pub trait Feature {
    /// Set once there was a value.
    #[doc(hidden)]
    fn flag() -> &'static Flag;
}

/// Declares the types of one feature, which share its flag.
#[doc(hidden)]
#[macro_export]
macro_rules! feature {
    ($($value:ty),+) => {
        const _: () = {
            static FLAG: $crate::Flag = $crate::Flag::new();
            $(impl $crate::Feature for $value {
                fn flag() -> &'static $crate::Flag {
                    &FLAG
                }
            })+
        };
    };
}

/// Whether there may be values of a feature's type.
#[doc(hidden)]
#[inline(always)]
pub fn is_used<T: Feature>() -> bool {
    T::flag().get()
}

/// An `Option` of such a value.
#[doc(hidden)]
pub struct Rare<T: Feature>(ManuallyDrop<Option<T>>);

impl<T: Feature> Rare<T> {
    #[doc(hidden)]
    pub const NONE: Self = Rare(ManuallyDrop::new(None));

    /// Some value.
    #[doc(hidden)]
    #[inline(always)]
    pub fn new(value: T) -> Self {
        T::flag().set();
        Rare(ManuallyDrop::new(Some(value)))
    }

    /// The same where another value of the feature was made before. Where nothing else sets the
    /// flag, this does not either.
    #[inline(always)]
    pub(crate) fn also(value: T) -> Self {
        Rare(ManuallyDrop::new(Some(value)))
    }

    #[doc(hidden)]
    #[inline(always)]
    pub fn as_ref(&self) -> Option<&T> {
        self.0.as_ref().filter(|_| is_used::<T>())
    }

    #[doc(hidden)]
    #[inline(always)]
    pub fn as_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut().filter(|_| is_used::<T>())
    }

    #[doc(hidden)]
    #[inline(always)]
    pub fn take(&mut self) -> Option<T> {
        match is_used::<T>() {
            true => self.0.take(),
            false => None,
        }
    }

    #[doc(hidden)]
    #[inline(always)]
    pub fn get_or_insert_with(&mut self, value: impl FnOnce() -> T) -> &mut T {
        T::flag().set();
        self.0.get_or_insert_with(value)
    }
}

impl<T: Feature> Default for Rare<T> {
    fn default() -> Self {
        Rare::NONE
    }
}

impl<T: Feature + Clone> Clone for Rare<T> {
    fn clone(&self) -> Self {
        self.as_ref().cloned().map_or(Rare::NONE, Rare::also)
    }
}

impl<T: Feature> Drop for Rare<T> {
    #[inline(always)]
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl<T: Feature> fmt::Debug for Rare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rare")
    }
}
