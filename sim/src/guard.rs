//! Panics as values: a node that panics has broken an invariant, and must not take the run with it.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static CAUGHT: RefCell<Caught> = const { RefCell::new(Caught { guarding: false, text: None }) };
}

struct Caught {
    guarding: bool,
    text: Option<String>,
}

/// Runs `act`; if it panics, gives the message and where it came from, and prints nothing.
pub(crate) fn guard<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    HOOK.call_once(install);
    CAUGHT.with_borrow_mut(|caught| caught.guarding = true);
    let result = panic::catch_unwind(AssertUnwindSafe(act));
    CAUGHT.with_borrow_mut(|caught| {
        caught.guarding = false;
        result
            .map_err(|_| caught.text.take().unwrap_or_else(|| "a panic without a word".to_owned()))
    })
}

/// Keeps the words of a guarded panic instead of printing them; leaves all others as they were.
fn install() {
    let others = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let ours = CAUGHT.with_borrow_mut(|caught| {
            if caught.guarding {
                caught.text = Some(info.to_string().replace('\n', " "));
            }
            caught.guarding
        });
        if !ours {
            others(info);
        }
    }));
}

static HOOK: Once = Once::new();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_message() {
        let text = guard(|| panic!("seven is {}", 8)).expect_err("it panicked");
        assert!(text.contains("seven is 8") && text.contains("guard.rs"), "{text}");
        assert_eq!(guard(|| 7), Ok(7));
    }
}
