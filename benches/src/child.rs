//! A program beside this one that does rounds when it is asked to, so that they interleave with
//! those of everybody else.
//!
//! It greets with one line. Then it reads lines, each a request, and answers each with one figure
//! on a line of its own. It ends with its input.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};

pub(crate) struct Child {
    /// Kept for its exit code.
    process: process::Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) greeting: String,
}

impl Child {
    pub(crate) fn start(program: &Path) -> io::Result<Self> {
        let mut process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()?;
        let (requests, answers) = (process.stdin.take(), process.stdout.take());
        let (Some(requests), Some(answers)) = (requests, answers) else {
            return Err(io::Error::other("its input and output are not piped"));
        };
        let mut answers = BufReader::new(answers);
        let greeting = read_line(&mut answers)?;
        Ok(Child { process, requests, answers, greeting })
    }

    /// Returns the figure that the child answers.
    pub(crate) fn ask(&mut self, request: &str) -> f64 {
        self.try_ask(request).unwrap_or_else(|error| {
            let ended = self.process.try_wait();
            panic!("{request:?} was not answered: {error}; the child: {ended:?}")
        })
    }

    fn try_ask(&mut self, request: &str) -> io::Result<f64> {
        self.requests.write_all(format!("{request}\n").as_bytes())?;
        self.requests.flush()?;
        let answer = read_line(&mut self.answers)?;
        answer.parse().map_err(|_| io::Error::other(format!("it said {answer:?}")))
    }
}

fn read_line(answers: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    match answers.read_line(&mut line)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(line.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_line_and_the_end_is_an_error() {
        let mut answers: &[u8] = b"  12.5 \nlast";
        assert_eq!(read_line(&mut answers).unwrap(), "12.5");
        assert_eq!(read_line(&mut answers).unwrap(), "last");
        assert_eq!(read_line(&mut answers).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error() {
        assert!(Child::start(Path::new("no-such-program-is-here")).is_err());
    }
}
