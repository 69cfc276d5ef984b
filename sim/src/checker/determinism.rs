//! DT: the same inputs give byte-identical outputs.
//!
//! No single run shows that: it is judged by the trace hashes of two, which cover every input, every
//! output and every digest of the state.

use crate::observation::Violation;

/// Compares the trace hashes of two runs of the same seed and settings.
///
/// # Errors
/// The violation, if they differ.
pub fn same_trace(first: u64, second: u64) -> Result<(), Violation> {
    if first == second {
        return Ok(());
    }
    let text = format!(
        "the same inputs give the same outputs, but the trace of the same run was {first:016x} \
         first and {second:016x} then"
    );
    Err(Violation::new(CODE, None, text))
}

const CODE: &str = "DT";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_that_differ_are_reported() {
        assert_eq!(same_trace(7, 7), Ok(()));
        let violation = same_trace(7, 8).expect_err("they differ");
        assert!(violation.text.contains("0000000000000008 then"), "{violation}");
    }
}
