//! Running other programs, and nothing else.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::outcome::Outcome;

/// `cargo`, in the workspace root: the one that started this program, else the one on the path.
pub(crate) fn cargo(root: &Path) -> Command {
    program(&variable("CARGO").unwrap_or_else(|| "cargo".to_owned()), root)
}

/// Any program, in the given folder, without standard input.
pub(crate) fn program(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// Runs it with its output shown; a non-zero end is a failure that names the command.
pub(crate) fn show(command: &mut Command) -> Outcome {
    let line = describe(command);
    println!("$ {line}");
    match command.status() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(format!("`{line}` ended with {status}")),
        Err(error) => Outcome::Failed(format!("`{line}` could not be started: {error}")),
    }
}

/// Runs it silently and returns what it printed.
///
/// # Errors
/// A sentence with the end of standard error when it cannot be started or fails.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let line = describe(command);
    let output = command.output().map_err(|error| format!("`{line}` could not be started: {error}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let tail: Vec<&str> = stderr.lines().rev().take(12).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        return Err(format!("`{line}` ended with {}\n{}", output.status, tail.join("\n")));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{line}` printed something that is not UTF-8"))
}

/// Whether the program can be started and ends well.
pub(crate) fn works(name: &str, arguments: &[&str]) -> bool {
    Command::new(name)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// A variable of the environment, when it is set and readable.
#[expect(
    clippy::disallowed_methods,
    reason = "a chore is an application: the environment is its configuration"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut line = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_program_is_told_with_its_command_line() {
        let Outcome::Failed(text) = show(program("false", Path::new("/")).arg("x")) else {
            panic!("false cannot pass");
        };
        assert!(text.contains("`false x`"), "{text}");
    }

    #[test]
    fn output_carries_the_end_of_standard_error() {
        let error = output(program("sh", Path::new("/")).args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        assert!(error.contains("why"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_does_not_work() {
        assert!(!works("no-such-program-here", &["--version"]));
    }
}
