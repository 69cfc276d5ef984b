//! The command `hamok-sim`.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::main()
}
