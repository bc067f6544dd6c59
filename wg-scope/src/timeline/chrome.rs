//! A timeline as a trace, in the JSON that Chrome's trace viewer and Perfetto read.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufWriter, Write};

use super::span::Span;

/// Writes a trace of these spans.
pub(super) fn write(spans: &[Span], missed: u64, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    out.write_all(b"{\"traceEvents\":[")?;
    let threads: BTreeMap<usize, Option<&str>> =
        spans.iter().map(|span| (span.thread_number(), span.thread())).collect();
    let mut comma = "\n";
    for (number, name) in threads {
        let name = Name(name, "thread", number);
        write!(
            out,
            "{comma}{{\"ph\":\"M\",\"pid\":1,\"tid\":{number},\"name\":\"thread_name\",\
             \"args\":{{\"name\":{name}}}}}"
        )?;
        comma = ",\n";
    }
    for (number, span) in spans.iter().enumerate() {
        out.write_all(comma.as_bytes())?;
        if span.is_future {
            future(&mut out, number, span)?;
        } else {
            closure(&mut out, span)?;
        }
        comma = ",\n";
    }
    write!(out, "\n],\"displayTimeUnit\":\"ns\",\"otherData\":{{\"missed\":{missed}}}}}\n")?;
    out.flush()
}

/// A slice on a thread: what it was before it was over contains what ran meanwhile.
fn closure(out: &mut impl Write, span: &Span) -> io::Result<()> {
    let (from, lasted) = (Micros(span.began), Micros(span.ended - span.began));
    let (tid, what) = (span.thread_number(), What(span));
    write!(out, "{{\"ph\":\"X\",\"pid\":1,\"tid\":{tid},\"ts\":{from},\"dur\":{lasted},{what}}}")
}

/// A beginning and an end that belong together by a number: futures overlap in any way.
fn future(out: &mut impl Write, number: usize, span: &Span) -> io::Result<()> {
    let (from, to) = (Micros(span.began), Micros(span.ended));
    let (tid, what) = (span.thread_number(), What(span));
    let who = format_args!("\"pid\":1,\"tid\":{tid},\"id\":{number}");
    write!(out, "{{\"ph\":\"b\",{who},\"ts\":{from},{what}}},\n{{\"ph\":\"e\",{who},\"ts\":{to},")?;
    write!(out, "\"name\":{},\"cat\":\"task\"}}", Title(span))
}

/// The members of an event that say what it was.
struct What<'a>(&'a Span);

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = self.0;
        let (title, index, outcome) = (Title(span), span.task.index(), span.outcome);
        let scope = Name(span.scope(), "scope", span.scope_number());
        let site = span.task.site();
        let line = format!("{}:{}", site.file(), site.line());
        let (line, waited) = (Text(&line), Micros(span.began - span.spawned));
        write!(
            f,
            "\"name\":{title},\"cat\":\"task\",\"args\":{{\"index\":{index},\"scope\":{scope},\
             \"spawned at\":{line},\"outcome\":\"{outcome}\",\"waited to begin (µs)\":{waited}}}"
        )
    }
}

/// What slices of a kind are called: the task's name, or else the line that spawned it.
struct Title<'a>(&'a Span);

impl fmt::Display for Title<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = &self.0.task;
        match task.name() {
            Some(name) => Text(name).fmt(f),
            None => Text(&format!("{}:{}", task.site().file(), task.site().line())).fmt(f),
        }
    }
}

/// A name as a string of JSON, or what stands for it: a word and a number.
struct Name<'a>(Option<&'a str>, &'a str, usize);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => Text(name).fmt(f),
            None => write!(f, "\"{} {}\"", self.1, self.2),
        }
    }
}

/// A text as a string of JSON.
struct Text<'a>(&'a str);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        // What needs no escape is written in one piece.
        let mut rest = self.0;
        while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
            let (plain, from) = rest.split_at(at);
            f.write_str(plain)?;
            match from.as_bytes()[0] {
                byte @ (b'"' | b'\\') => write!(f, "\\{}", char::from(byte))?,
                byte => write!(f, "\\u{byte:04x}")?,
            }
            rest = &from[1..];
        }
        write!(f, "{rest}\"")
    }
}

/// Nanoseconds, written as microseconds.
struct Micros(u64);

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0 % 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_a_string_of_json() {
        assert_eq!(Text("plain, ünïcode 🦀").to_string(), "\"plain, ünïcode 🦀\"");
        assert_eq!(Text(r#"a "b" \c"#).to_string(), r#""a \"b\" \\c""#);
        assert_eq!(Text("\"").to_string(), r#""\"""#);
        assert_eq!(
            Text("\0\n\t\u{1f}é\u{7f}").to_string(),
            "\"\\u0000\\u000a\\u0009\\u001fé\u{7f}\""
        );
        assert_eq!(Text("").to_string(), "\"\"");
    }

    #[test]
    fn a_time_is_written_in_microseconds() {
        assert_eq!(Micros(0).to_string(), "0.000");
        assert_eq!(Micros(1_002_003).to_string(), "1002.003");
    }
}
