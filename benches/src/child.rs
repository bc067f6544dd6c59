//! A program beside this one that does rounds when it is asked to, so that they interleave with
//! those of everybody else.
//!
//! It greets with one line. Then it reads lines, each a request, and answers each with a line of two
//! numbers: the figure, and how many nanoseconds the round took. It ends with its input.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::row::Contender;

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

    /// Has a round done, and returns its figure.
    fn ask(&mut self, request: &str) -> Answer {
        self.try_ask(request).unwrap_or_else(|error| {
            let ended = self.process.try_wait();
            panic!("{request:?} was not answered: {error}; the child: {ended:?}")
        })
    }

    fn try_ask(&mut self, request: &str) -> io::Result<Answer> {
        self.requests.write_all(format!("{request}\n").as_bytes())?;
        self.requests.flush()?;
        let answer = read_line(&mut self.answers)?;
        Answer::parse(&answer).ok_or_else(|| io::Error::other(format!("it said {answer:?}")))
    }
}

/// What came of a round.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Answer {
    figure: f64,
    /// How long it took, what does not count in the figure included.
    nanos: f64,
}

impl Answer {
    fn parse(line: &str) -> Option<Self> {
        let (figure, nanos) = line.split_once(' ')?;
        Some(Answer { figure: figure.parse().ok()?, nanos: nanos.parse().ok()? })
    }
}

/// The least that a round of a child takes, in nanoseconds: asking and answering take time as well,
/// by which whoever says how often the work is to be done may be misled into doing it too rarely.
const ENOUGH: f64 = 200_000.0;

/// A contender whose rounds are done by a child; `request` says how a number of times is asked for.
pub(crate) fn contender(
    name: &'static str,
    child: &'static Mutex<Child>,
    request: impl Fn(u64) -> String + 'static,
) -> Contender {
    let mut least = 1;
    Contender::new(name, move |times| {
        let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let times = times.max(least);
            let answer = child.ask(&request(times));
            if answer.nanos >= ENOUGH {
                return answer.figure;
            }
            least = more(times, answer.nanos);
        }
    })
}

/// How often the work is to be done if so many times took too little.
fn more(times: u64, nanos: f64) -> u64 {
    (times as f64 * (ENOUGH / nanos.max(1.0)).clamp(2.0, 10.0)) as u64
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
    fn an_answer_has_two_numbers() {
        assert_eq!(Answer::parse("12.5 3000"), Some(Answer { figure: 12.5, nanos: 3_000.0 }));
        assert_eq!(Answer::parse("12.5"), None);
        assert_eq!(Answer::parse("fast 1"), None);
    }

    #[test]
    fn a_round_that_is_too_short_is_repeated_with_more() {
        assert_eq!(more(10, ENOUGH / 4.0), 40);
        assert_eq!((more(1, 0.0), more(1, ENOUGH * 0.99)), (10, 2));
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error() {
        assert!(Child::start(Path::new("no-such-program-is-here")).is_err());
    }
}
