//! What a wasm host sees: two functions, and no imports.

use alloc::boxed::Box;
use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::cell::RefCell;
use core::panic::PanicInfo;

use crate::Probe;

/// Starts over.
#[unsafe(no_mangle)]
pub extern "C" fn new(seed: u64) {
    *PROBE.0.borrow_mut() = Some(Box::new(Probe::new(seed)));
}

/// Does one thing and returns the trace so far; 0 before [`new`].
#[unsafe(no_mangle)]
pub extern "C" fn step(kind: u32, argument: u64) -> u64 {
    PROBE.0.borrow_mut().as_mut().map_or(0, |probe| probe.step(kind, argument))
}

static PROBE: OneThread<Option<Box<Probe>>> = OneThread(RefCell::new(None));

struct OneThread<T>(RefCell<T>);

// SAFETY: without the atomics proposal a wasm instance has a single thread.
unsafe impl<T> Sync for OneThread<T> {}

/// Hands out memory from the end and takes none back: a probe does not live long.
struct Bump;

#[global_allocator]
static ALLOCATOR: Bump = Bump;

static FREE: OneThread<(usize, usize)> = OneThread(RefCell::new((0, 0)));

const PAGE: usize = 64 << 10;

// SAFETY: every block lies in pages that `memory_grow` has just added, and blocks do not overlap
// since `next` only grows.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let mut free = FREE.0.borrow_mut();
        let (mut next, mut end) = *free;
        next = next.next_multiple_of(layout.align());
        if next == 0 || end - next.min(end) < layout.size() {
            let pages = layout.size().div_ceil(PAGE).max(16);
            let grown = wasm32::memory_grow(0, pages);
            if grown == usize::MAX {
                return core::ptr::null_mut();
            }
            (next, end) = (grown * PAGE, (grown + pages) * PAGE);
        }
        *free = (next + layout.size(), end);
        next as *mut u8
    }

    unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    wasm32::unreachable()
}
