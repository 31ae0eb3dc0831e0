//! The header of a `.npy` file: a Python dictionary with three keys, read by rule and never evaluated.

use super::problem::Problem;

/// The header, with `descr` not yet understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub descr: Descr,
    pub fortran_order: bool,
    pub shape: Vec<usize>,
}

/// The type of an array as NumPy writes it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Descr {
    /// Such as `<f4`.
    Name(String),
    /// A list of fields.
    Fields,
}

/// Read a header; problems count their byte from its start.
pub(super) fn header(text: &[u8]) -> Result<Header, Problem> {
    let mut cursor = Cursor { text, at: 0 };
    let (mut descr, mut fortran_order, mut shape) = (None, None, None);
    cursor.expect(b'{')?;
    while cursor.peek() != Some(b'}') {
        let at = cursor.at;
        let key = cursor.string()?;
        cursor.expect(b':')?;
        let again = match key {
            "descr" => descr.replace(cursor.descr()?).is_some(),
            "fortran_order" => fortran_order.replace(cursor.boolean()?).is_some(),
            "shape" => shape.replace(cursor.tuple()?).is_some(),
            _ => {
                return Err(Problem::at(
                    at,
                    "the keys of the header must be 'descr', 'fortran_order' and 'shape'",
                ));
            }
        };
        if again {
            return Err(Problem::at(at, "a key of the header must occur once"));
        }
        if cursor.peek() != Some(b'}') {
            cursor.expect(b',')?;
        }
    }
    cursor.expect(b'}')?;
    if cursor.peek().is_some() {
        return Err(Problem::at(cursor.at, "nothing but blanks must follow the dictionary of the header"));
    }
    match (descr, fortran_order, shape) {
        (Some(descr), Some(fortran_order), Some(shape)) => Ok(Header { descr, fortran_order, shape }),
        _ => Err(Problem::at(0, "the header must have 'descr', 'fortran_order' and 'shape'")),
    }
}

/// A place in the text.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// The next character that is no blank; it stays where it is.
    fn peek(&mut self) -> Option<u8> {
        let blanks = self.text[self.at..].iter().take_while(|c| matches!(c, b' ' | b'\n' | b'\t' | b'\r'));
        self.at += blanks.count();
        self.text.get(self.at).copied()
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Problem> {
        if self.peek() == Some(wanted) {
            self.at += 1;
            return Ok(());
        }
        Err(Problem::at(self.at, format!("'{}' must stand here in the header", char::from(wanted))))
    }

    /// Characters from here on for which this holds.
    fn while_true(&mut self, holds: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = &self.text[self.at..];
        let length = rest.iter().take_while(|&&c| holds(c)).count();
        self.at += length;
        &rest[..length]
    }

    fn string(&mut self) -> Result<&'a str, Problem> {
        let quote = self.peek().filter(|c| matches!(c, b'\'' | b'"'));
        let at = self.at;
        let Some(quote) = quote else {
            return Err(Problem::at(at, "a string must stand here in the header"));
        };
        self.at += 1;
        let body = self.while_true(|c| c != quote && c != b'\\');
        if self.text.get(self.at) != Some(&quote) {
            return Err(Problem::at(at, "a string of the header must end, and have no backslash"));
        }
        self.at += 1;
        std::str::from_utf8(body).map_err(|_| Problem::at(at, "a string of the header must be UTF-8 text"))
    }

    fn boolean(&mut self) -> Result<bool, Problem> {
        self.peek();
        let at = self.at;
        match self.while_true(|c| c.is_ascii_alphanumeric()) {
            b"True" => Ok(true),
            b"False" => Ok(false),
            _ => Err(Problem::at(at, "'fortran_order' must be True or False")),
        }
    }

    /// A tuple of numbers: `()`, `(3,)`, `(3, 5)`.
    fn tuple(&mut self) -> Result<Vec<usize>, Problem> {
        self.expect(b'(')?;
        let mut numbers = Vec::new();
        let mut commas = 0;
        while self.peek() != Some(b')') {
            let at = self.at;
            let digits = self.while_true(|c| c.is_ascii_digit());
            let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
            let number = number.ok_or_else(|| Problem::at(at, "'shape' must be a tuple of whole numbers"))?;
            numbers.push(number);
            if self.peek() != Some(b')') {
                self.expect(b',')?;
                commas += 1;
            }
        }
        if numbers.len() == 1 && commas == 0 {
            return Err(Problem::at(self.at, "'shape' must be a tuple; one number needs a comma"));
        }
        self.expect(b')')?;
        Ok(numbers)
    }

    /// A name, or a list of fields that is passed over without a look inside.
    fn descr(&mut self) -> Result<Descr, Problem> {
        match self.peek() {
            Some(b'[' | b'(') => self.nested(),
            _ => Ok(Descr::Name(self.string()?.to_owned())),
        }
    }

    /// Pass over brackets within brackets; a counter instead of recursion, whatever their depth.
    fn nested(&mut self) -> Result<Descr, Problem> {
        let start = self.at;
        let mut depth = 0_usize;
        while let Some(c) = self.peek() {
            match c {
                b'\'' | b'"' => {
                    self.string()?;
                    continue;
                }
                b'[' | b'(' => depth += 1,
                b']' | b')' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(Descr::Fields);
            }
        }
        Err(Problem::at(start, "the list of fields must end"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> Result<Header, Problem> {
        header(text.as_bytes())
    }

    #[test]
    fn what_numpy_writes_is_understood() {
        let found =
            parsed("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 5), }          \n").unwrap();
        assert_eq!(
            found,
            Header { descr: Descr::Name("<f4".into()), fortran_order: false, shape: vec![3, 5] }
        );
        assert_eq!(
            parsed("{'shape': (), 'descr': '|b1', 'fortran_order': True}").unwrap().shape,
            [0_usize; 0]
        );
        assert_eq!(parsed("{'shape': (7,), 'descr': '|b1', 'fortran_order': True}").unwrap().shape, [7]);
        let fields =
            "{'descr': [('a', '<f4', (2, 3)), (')]', '<i8')], 'fortran_order': False, 'shape': (1,)}";
        assert_eq!(parsed(fields).unwrap().descr, Descr::Fields);
    }

    #[test]
    fn what_numpy_would_not_write_is_refused_at_its_byte() {
        let cases = [
            ("", 0, "'{' must stand here in the header"),
            (
                "{'descr': '<f4', 'fortran_order': False}",
                0,
                "the header must have 'descr', 'fortran_order' and 'shape'",
            ),
            ("{'descr': '<f4', 'descr': '<f4'}", 17, "a key of the header must occur once"),
            ("{'order': 1}", 1, "the keys of the header must be 'descr', 'fortran_order' and 'shape'"),
            ("{'shape': (3)}", 12, "'shape' must be a tuple; one number needs a comma"),
            ("{'shape': (-3,)}", 11, "'shape' must be a tuple of whole numbers"),
            ("{'shape': (99999999999999999999,)}", 11, "'shape' must be a tuple of whole numbers"),
            ("{'fortran_order': open('x')}", 18, "'fortran_order' must be True or False"),
            ("{'descr': '\\x3cf4'}", 10, "a string of the header must end, and have no backslash"),
            ("{'descr': [['<f4']", 10, "the list of fields must end"),
        ];
        for (text, at, problem) in cases {
            assert_eq!(parsed(text), Err(Problem::at(at, problem)), "{text}");
        }
    }

    #[test]
    fn deep_brackets_need_no_stack() {
        let text = format!("{{'descr': {}", "[".repeat(1 << 16));
        assert_eq!(parsed(&text).unwrap_err().offset(), 10);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_within_itself(text in "[{}()\\[\\],:'desrphaftn_<48 0-9TrueFl]{0,80}") {
            if let Err(problem) = parsed(&text) {
                prop_assert!(problem.offset() <= text.len());
            }
        }
    }
}
